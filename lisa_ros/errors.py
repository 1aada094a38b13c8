"""The error tree. Every leaf has a wire code, so that an error crosses processes as a number.

Messages say what was got, what was expected, and what to do next. Codes are stable once released;
families own ranges of one hundred, as in nav2's action results.
"""

from __future__ import annotations

from typing import ClassVar


class LisaError(Exception):
    """Base of every error that this package raises on purpose."""

    code: ClassVar[int] = 1


class InstructionError(LisaError):
    """The sentence cannot be used: not text, only control characters, too long."""

    code = 100


class EmptyInstructionError(InstructionError):
    """The sentence is empty after cleaning."""

    code = 101


class InstructionTooLongError(InstructionError):
    """The prompt does not fit the model's context."""

    code = 102


class InstructionEncodingError(InstructionError):
    """The sentence is not valid UTF-8 text."""

    code = 103


class ImageError(LisaError):
    """A colour image is malformed: shape, dtype, encoding, size of its buffer."""

    code = 200


class DepthError(LisaError):
    """A depth image is malformed, or does not belong to the colour image."""

    code = 201


class CameraInfoError(LisaError):
    """Camera intrinsics are missing, contradictory or use an unsupported model."""

    code = 202


class MaskError(LisaError):
    """A mask does not have the shape or dtype of its image."""

    code = 203


class CheckpointError(LisaError):
    """A checkpoint cannot be loaded."""

    code = 300


class CheckpointNotFoundError(CheckpointError):
    """No checkpoint under this path, alias or hub id, or a file of it is missing."""

    code = 301


class CheckpointCorruptError(CheckpointError):
    """A file of the checkpoint is truncated or not what its name says."""

    code = 302


class CheckpointMismatchError(CheckpointError):
    """Keys or shapes do not fit: missing, unexpected, or contradicting each other."""

    code = 303


class TokenizerError(CheckpointError):
    """The tokenizer does not belong to the weights, or `[SEG]` is not a single id."""

    code = 304


class ModelError(LisaError):
    """The model was asked for something it cannot do."""

    code = 400


class GenerationCanceledError(ModelError):
    """`should_stop` returned true; `text` holds what had been generated until then."""

    code = 401

    def __init__(self, message: str, text: str = "") -> None:
        super().__init__(message)
        self.text = text


class DeviceError(ModelError):
    """The device or dtype asked for is not available."""

    code = 402


class SelfTestError(ModelError):
    """A model was loaded, but does not answer a test question as it should."""

    code = 403


class SimulationError(LisaError):
    """A room cannot be built or stored, or open3d is missing."""

    code = 500


class ConfigurationError(LisaError):
    """A parameter, configuration file or option is unknown or out of range."""

    code = 600


class TransformError(LisaError):
    """A transform between two frames is not available at the stamp asked for."""

    code = 700


class TransformsUnavailableError(TransformError):
    """Transforms come from tf2, and tf2 is not installed."""

    code = 701


class DatasetError(LisaError):
    """A dataset is missing, malformed, or not laid out as its readers expect."""

    code = 800

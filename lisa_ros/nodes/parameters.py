"""The parameters of the perception node, each declared once.

Default, type, unit, range, meaning and when it may change stand in one place. The dataclass is the
declaration and the snapshot that the node works with. What a value must fulfil beyond its range is
in parameter_rules.py, how they are put on a node in node_parameters.py.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, fields
from typing import Any

from lisa_ros.nodes.answers import Policy
from lisa_ros.nodes.parameter_declaration import Change, parameter


@dataclass(frozen=True)
class PerceptionParameters:
    """The values of the perception node's parameters at one moment."""

    model: str = parameter(
        "", "Checkpoint that answers: a directory, a hub id, or the alias lisa-tiny. Empty: none."
    )
    device: str = parameter(
        "auto", "Where the model runs: auto (a GPU if there is one), cpu, cuda, cuda:1, ..."
    )
    dtype: str = parameter(
        "auto",
        "Number format of the weights; auto: bfloat16 on a GPU that has it, float32 on a CPU.",
        choices=("auto", "float32", "bfloat16", "float16"),
    )
    quantization: str = parameter(
        "none",
        "none, or nf4: the language model's layers in 4 bits, for small GPUs; needs bitsandbytes.",
        choices=("none", "nf4"),
    )
    mode: str = parameter(
        "prompted",
        "How an answer is made: prompted (supplied, one pass, fast) or generated (token by token).",
        choices=("prompted", "generated"),
        change=Change.ANY_TIME,
    )
    view: str = parameter(
        "",
        "What the language model sees of a wide image: center (crops the sides), letterbox (all of "
        "it, smaller) or tiles (the squares at both ends, one by one, at twice the cost). Empty: "
        "the checkpoint's own.",
        choices=("", "center", "letterbox", "tiles"),
        change=Change.ANY_TIME,
    )
    prompt_template: str = parameter(
        "",
        "Wraps each instruction; contains {instruction} once. Empty: the checkpoint's own.",
        change=Change.ANY_TIME,
    )
    conversation: str = parameter(
        "",
        "Words round the exchange that the checkpoint was trained with; releases made from Llama 2 "
        "need llava_llama_2 and do not say so. Empty: the checkpoint's own, else llava_v1.",
        choices=("", "llava_v1", "llava_llama_2"),
        change=Change.ANY_TIME,
    )
    found_threshold: float | None = parameter(
        None,
        "A prompted answer is NOT_FOUND when seg_probability is below this. Not set: the "
        "checkpoint's own.",
        unit="probability",
        minimum=0.0,
        maximum=1.0,
        change=Change.ANY_TIME,
    )
    look_again: int = parameter(
        0,
        "Most closer looks where nothing was found: at tiles, then at parts of them. Each costs as "
        "much as a question about a new frame and is a further chance to find what is not there, "
        "so that what is found is confirmed in a close-up, which counts too; 1 is as good as 0.",
        minimum=0,
        maximum=100,
        change=Change.ANY_TIME,
    )
    policy: str = parameter(
        "replace",
        "What a new instruction does to the one that runs: replace cancels it and all that wait, "
        "queue waits for its turn, reject refuses the new one. A goal may say otherwise.",
        choices=tuple(map(str, Policy)),
        change=Change.ANY_TIME,
    )
    queue_size: int = parameter(
        8,
        "Most instructions that may wait under the policy queue; one more is refused.",
        minimum=1,
        maximum=1000,
        change=Change.ANY_TIME,
    )
    session: str = parameter(
        "",
        "Conversation that instructions by topic belong to: earlier ones about the same view are "
        "remembered. A model that was not trained on conversations, such as lisa-tiny, answers "
        "less well with them. Empty: each stands alone.",
        change=Change.ANY_TIME,
    )
    max_targets: int = parameter(
        8, "Most targets in one answer, best first.", minimum=1, maximum=254, change=Change.ANY_TIME
    )
    answer_timeout_s: float = parameter(
        60.0,
        "Time for an instruction that comes by topic; 0: no limit.",
        unit="s",
        minimum=0.0,
        maximum=3600.0,
        change=Change.ANY_TIME,
    )
    frame_wait_s: float = parameter(
        2.0,
        "Longest wait for a fresh frame before the answer is STALE_INPUT.",
        unit="s",
        minimum=0.0,
        maximum=600.0,
        change=Change.ANY_TIME,
    )
    max_frame_age_s: float = parameter(
        1.0,
        "A frame whose stamp is further than this from the node's clock is not used.",
        unit="s",
        minimum=0.01,
        maximum=3600.0,
        change=Change.ANY_TIME,
    )
    sync_slop_s: float = parameter(
        0.02,
        "Largest difference between the stamps of image, depth and camera_info of one frame.",
        unit="s",
        minimum=0.0,
        maximum=1.0,
    )
    sync_queue_size: int = parameter(
        10,
        "Messages of each input that wait for partners with stamps to match; more cost memory, "
        "fewer lose frames whose image and depth come late.",
        minimum=1,
        maximum=100,
    )
    use_depth: bool = parameter(
        True,
        "False for a camera of colour alone: then nothing but the image is waited for, and answers "
        "have masks but no positions.",
    )
    image_transport: str = parameter(
        "raw",
        "raw, or compressed: image/compressed (JPEG, PNG) and depth/compressedDepth (PNG, RVL).",
        choices=("raw", "compressed"),
    )
    depth_to_color: tuple[float, ...] | None = parameter(
        None,
        "Fixed pose of the depth camera in the colour camera's optical frame: x, y, z, qx, qy, qz, "
        "qw. Used to register depth that has another frame_id than the image, together with "
        "depth_camera_info; the identity says that it is registered all the same.",
        unit="m, unit quaternion",
    )
    target_frame: str = parameter(
        "",
        "Frame that targets are given in: by camera_to_target where that is set, else by tf2 at "
        "the stamp of the image. Empty: the image's optical frame.",
        change=Change.ANY_TIME,
    )
    transform_wait_s: float = parameter(
        0.5,
        "Longest wait for the transform to target_frame before the answer is TRANSFORM_FAILED.",
        unit="s",
        minimum=0.0,
        maximum=60.0,
        change=Change.ANY_TIME,
    )
    rectified: bool = parameter(
        False,
        "Whether the colour image is rectified: then P of camera_info counts, else K and D do.",
    )
    camera_to_target: tuple[float, ...] | None = parameter(
        None,
        "Fixed pose of the camera's optical frame in target_frame: x, y, z, qx, qy, qz, qw.",
        unit="m, unit quaternion",
        change=Change.ANY_TIME,
    )
    follow: bool = parameter(
        False,
        "Carry the targets of an answer on from frame to frame, and ask again when they are lost; "
        "the service `follow` sets it.",
        change=Change.ANY_TIME,
    )
    follow_rate_hz: float = parameter(
        5.0,
        "How often followed targets are looked for and published, at most.",
        unit="Hz",
        minimum=0.1,
        maximum=60.0,
        change=Change.ANY_TIME,
    )
    ask_again_s: float = parameter(
        2.0,
        "From the loss of all followed targets to the first question for them, and from each to "
        "the next.",
        unit="s",
        minimum=0.1,
        maximum=3600.0,
        change=Change.ANY_TIME,
    )
    tracker: str = parameter(
        "redecode",
        "How targets are followed: redecode decodes the answer's [SEG] on each frame; flow carries "
        "masks by optical flow and decodes now and then, for slow encoders; sam2 is a video model.",
        choices=("redecode", "flow", "sam2"),
    )
    sam2_model: str = parameter(
        "",
        "SAM 2 or EdgeTAM video model for the tracker sam2, in transformers' format: a directory "
        "or a hub id such as facebook/sam2.1-hiera-tiny.",
    )
    samples_dir: str = parameter(
        "",
        "Folder of the lab dataset that save_sample stores answers in; it is made if it is not "
        "there. Empty: nothing is stored.",
        change=Change.ANY_TIME,
    )
    save_automatically: bool = parameter(
        False,
        "Store NOT_FOUND answers, and those below save_below, without being asked; needs "
        "samples_dir.",
        change=Change.ANY_TIME,
    )
    save_below: float = parameter(
        0.7,
        "A FOUND answer less confident than this (by seg_probability where nobody measured its "
        "confidence) is one to store automatically.",
        unit="probability",
        minimum=0.0,
        maximum=1.0,
        change=Change.ANY_TIME,
    )
    save_interval_s: float = parameter(
        10.0,
        "Shortest time between two samples that are stored automatically.",
        unit="s",
        minimum=0.0,
        maximum=86400.0,
        change=Change.ANY_TIME,
    )
    max_samples: int = parameter(
        1000,
        "Nothing is stored automatically once samples_dir holds so many samples.",
        minimum=1,
        maximum=1_000_000,
        change=Change.ANY_TIME,
    )
    autostart: bool = parameter(
        True,
        "Configure and activate at the start, without a lifecycle manager.",
        change=Change.AT_START,
    )


def specifications() -> dict[str, Field[Any]]:
    """Return the declaration of each parameter by name."""
    return {spec.name: spec for spec in fields(PerceptionParameters)}

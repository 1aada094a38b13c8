"""What the frozen vision towers make of a batch: read from the cache, or computed and stored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lisa_ros.errors import ConfigurationError
from lisa_ros.model.lisa import LisaForCausalLM
from lisa_ros.model.preprocess import ClipProcessor
from training.collate import ImageBatch
from training.feature_cache import Encoding, FeatureCache, Features


class FrozenTowers:
    """Maps a batch to SAM's image embeddings and CLIP's features.

    Images are encoded one by one, so that an image's features depend on nothing but the image, and
    training on cached features is bit for bit training without a cache.
    """

    def __init__(
        self, model: LisaForCausalLM, dtype: torch.dtype, cache: FeatureCache | None = None
    ) -> None:
        """`dtype` is that of the features; float32 weights compute in it by autocast.

        Raises:
            ConfigurationError: the cache keeps another dtype.

        """
        if cache is not None and cache.encoding.dtype != dtype:
            raise ConfigurationError(
                f"The cache keeps {cache.encoding.dtype}, but features should be {dtype}; open it "
                "with the encoding of this dtype."
            )
        self.model, self.dtype, self.cache = model, dtype, cache

    def __call__(self, batch: ImageBatch) -> tuple[Tensor, Tensor]:
        """Return (SAM's image embeddings [B,C,g,g], CLIP's patch features [B,N,C']).

        On the model's device; constants, which a backward pass may save.

        Raises:
            ConfigurationError: the weights have another dtype or device than the cache's encoding,
                or are partitioned by ZeRO 3, where ranks cannot encode each for itself.

        """
        unknown = zip(batch.sam_pixels, batch.clip_pixels, strict=True)
        features = []
        for key, known in batch.slots:
            if known is None:
                pixels = next(unknown)
                known = self.encode(*pixels) if key is None else self._kept(key, *pixels)
            features.append(known)
        device = self.model.device
        sam = torch.stack([each.sam.to(device) for each in features])
        return sam, torch.stack([each.clip.to(device) for each in features])

    def _kept(self, key: bytes, sam_pixels: Tensor, clip_pixels: Tensor) -> Features:
        """Features of an image that was unknown when its batch was prepared."""
        if self.cache is None:
            raise ConfigurationError(
                "This batch was prepared with a cache; give the same one to its FrozenTowers."
            )
        # It may have come up in the batch before this one, or in another process.
        features = self.cache.get(key)
        if features is None:
            _check_weights(self.model, self.cache.encoding)
            features = self.encode(sam_pixels, clip_pixels)
            self.cache.store(key, features)
        return features

    @torch.no_grad()  # not inference mode, whose tensors a backward pass may not save
    def encode(self, sam_pixels: Tensor, clip_pixels: Tensor) -> Features:
        """Encode one image: SAM's input f32[3,S,S] and CLIP's f32[3,h,w]."""
        model, weight = self.model, next(self.model.vision_tower.parameters())
        for tower in towers_of(model):
            tower.eval()  # whatever the mode of the rest: no dropout
        narrower = weight.dtype == torch.float32 and self.dtype != torch.float32
        with torch.autocast(weight.device.type, self.dtype, enabled=narrower):
            sam = model.encode_sam(sam_pixels[None].to(weight.device, weight.dtype))
            clip = model.vision_tower(clip_pixels[None].to(weight.device, weight.dtype))
        # Contiguous, as they come back from the cache: strides may choose other kernels later.
        return Features(sam[0].to(self.dtype).contiguous(), clip[0].to(self.dtype).contiguous())


def towers_of(model: LisaForCausalLM) -> tuple[nn.Module, nn.Module]:
    """SAM's image encoder and CLIP: what no run trains."""
    return model.sam.image_encoder, model.vision_tower


def encoding_of(
    model: LisaForCausalLM, processor: ClipProcessor, view: str, dtype: torch.dtype
) -> Encoding:
    """By what the features of a model are known; reads all weights of both towers.

    Call it when the weights have the dtype and the device that they are used with: another device
    or rounding makes other features. dtype: of the features.

    Raises:
        ConfigurationError: the towers are partitioned by ZeRO 3.

    """
    sam, clip = model.sam.config, model.vision_tower.config
    sam_shape, clip_shape = feature_shapes(model)
    weights = _weights(model)
    settings = (view, processor, dtype, weights, sam, clip)
    tower = model.vision_tower
    digest = hashlib.blake2b(digest_size=32)
    digest.update(repr((*settings, tower.select_layer, tower.select_feature)).encode())
    _add_weights(digest, model.sam.image_encoder.state_dict())
    _add_weights(digest, tower.clip.state_dict())
    return Encoding(
        digest=digest.hexdigest(),
        weights=weights,
        sam_shape=sam_shape,
        clip_shape=clip_shape,
        dtype=dtype,
    )


def feature_shapes(model: LisaForCausalLM) -> tuple[tuple[int, int, int], tuple[int, int]]:
    """SAM's and CLIP's of an image, see `Features`; of a model on the meta device too."""
    sam, tower = model.sam.config, model.vision_tower
    of_sam = (sam.prompt_embed_dim, sam.grid_size, sam.grid_size)
    return of_sam, (tower.num_image_tokens, tower.config.hidden_size)


def _add_weights(digest: hashlib.blake2b, weights: Mapping[str, Tensor]) -> None:
    for name, weight in sorted(weights.items()):
        digest.update(repr((name, weight.shape, weight.dtype)).encode())
        flat = weight.detach().cpu().contiguous().flatten()
        digest.update(flat.view(torch.uint8).numpy().data)


def _check_weights(model: LisaForCausalLM, encoding: Encoding) -> None:
    weights = _weights(model)
    if weights != encoding.weights:
        raise ConfigurationError(
            f"The towers are {weights}, but the cache was opened for {encoding.weights}. Open it "
            "after the model has been moved and cast."
        )


def _weights(model: LisaForCausalLM) -> str:
    """Dtype and device of the towers."""
    kinds = set()
    for tower in towers_of(model):
        for weight in tower.parameters():
            if hasattr(weight, "ds_id"):  # DeepSpeed marks what ZeRO 3 partitions
                raise ConfigurationError(
                    "ZeRO 3 has partitioned the frozen towers: a rank that encodes an image would "
                    "wait for ranks that know theirs. Keep the towers out of the engine, or do "
                    "without the feature cache."
                )
            kinds.add(f"{weight.dtype} on {weight.device.type}".removeprefix("torch."))
    return ", ".join(sorted(kinds))

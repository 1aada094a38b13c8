"""What any backend behind the `Segmenter` protocol must do; add a backend to BACKENDS."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fakes import FakeSegmenter
from random_lisa import noise_image, random_lisa

from lisa_ros.errors import (
    ConfigurationError,
    EmptyInstructionError,
    GenerationCanceledError,
    ImageError,
    InstructionEncodingError,
    ModelError,
)
from lisa_ros.inference.engine import LisaEngine
from lisa_ros.types import Turn

BACKENDS = {
    "engine": lambda: LisaEngine(random_lisa()),
    "engine with tiles": lambda: LisaEngine(random_lisa(), view="tiles"),
    "fake": FakeSegmenter,
}
MODES = ["prompted", "generated"]


@pytest.fixture(scope="module", params=BACKENDS)
def segmenter(request):
    return BACKENDS[request.param]()


@pytest.fixture(scope="module")
def image():
    picture = noise_image(30, 40)
    picture[5:15, 5:20] = (220, 30, 30)
    picture[20:28, 25:38] = (30, 30, 220)
    return picture


def assert_same(a, b):
    for field in ("masks", "scores", "seg_embeddings"):
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
    assert (a.text, a.prompt_text, a.seg_probability, a.found) == (
        b.text,
        b.prompt_text,
        b.seg_probability,
        b.found,
    )


def test_capabilities_are_a_value(segmenter):
    capabilities = segmenter.capabilities
    assert set(capabilities.modes) <= set(MODES)
    with pytest.raises(dataclasses.FrozenInstanceError):
        capabilities.name = "other"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("instruction", ["the red mug", "red and blue", "no such thing"])
def test_an_answer_is_consistent(segmenter, image, mode, instruction):
    answer = segmenter.segment(image, instruction, mode=mode, max_new_tokens=12)
    n = len(answer.masks)
    assert answer.masks.shape == (n, 30, 40)
    assert answer.masks.dtype == np.bool_
    assert answer.scores.shape == (n,)
    assert answer.scores.dtype == np.float32
    assert ((answer.scores >= 0) & (answer.scores <= 1)).all()
    assert answer.seg_embeddings.shape[0] == n
    assert answer.seg_embeddings.dtype == np.float32
    assert 0 <= answer.seg_probability <= 1
    assert answer.text.count("[SEG]") == n
    assert answer.found == (n > 0)
    assert instruction in answer.prompt_text
    assert all(ms >= 0 for ms in answer.timings_ms.values())
    assert answer.seen
    for left, top, right, bottom in answer.seen:
        assert 0 <= left < right <= 40
        assert 0 <= top < bottom <= 30
    assert answer.decoded_in is None
    assert answer.confidence is None or (answer.found and 0 <= answer.confidence <= 1)


@pytest.mark.parametrize("mode", MODES)
def test_an_encoded_image_answers_like_the_image_any_number_of_times(segmenter, image, mode):
    encoded = segmenter.encode_image(image)
    assert encoded.image_hw == (30, 40)
    for instruction in ("the red mug", "what is blue?", "the red mug"):
        from_encoded = segmenter.segment(encoded, instruction, mode=mode, max_new_tokens=12)
        from_array = segmenter.segment(image, instruction, mode=mode, max_new_tokens=12)
        assert_same(from_encoded, from_array)


def test_an_encoded_image_keeps_nothing_of_the_callers_array(segmenter, image):
    reused = image.copy()
    encoded = segmenter.encode_image(reused)
    reused[:] = 0
    assert_same(segmenter.segment(encoded, "red"), segmenter.segment(image, "red"))


def test_embeddings_decode_again_to_the_same_masks(segmenter, image):
    if not segmenter.capabilities.supports_redecode:
        pytest.skip("does not decode again")
    encoded = segmenter.encode_image(image)
    answer = segmenter.segment(encoded, "red and blue", mode="generated", max_new_tokens=12)
    assert len(answer.masks) > 0
    masks, scores = segmenter.decode(encoded, answer.seg_embeddings)
    np.testing.assert_array_equal(masks, answer.masks)
    np.testing.assert_array_equal(scores, answer.scores)
    none, no_scores = segmenter.decode(encoded, answer.seg_embeddings[:0])
    assert none.shape == (0, 30, 40)
    assert no_scores.shape == (0,)
    with pytest.raises(ModelError, match="expected"):
        segmenter.decode(encoded, answer.seg_embeddings[:, :-1])


def test_an_image_that_is_not_encoded_decodes_to_the_same_masks(segmenter, image):
    if not segmenter.capabilities.supports_redecode:
        pytest.skip("does not decode again")
    answer = segmenter.segment(image, "red and blue", mode="generated", max_new_tokens=12)
    assert len(answer.masks) > 0
    masks, scores = segmenter.decode(image, answer.seg_embeddings)
    np.testing.assert_array_equal(masks, answer.masks)
    np.testing.assert_array_equal(scores, answer.scores)


@pytest.mark.parametrize("mode", MODES)
def test_text_is_streamed_and_ends_as_the_answer(segmenter, image, mode):
    seen = []
    answer = segmenter.segment(image, "red", mode=mode, max_new_tokens=12, on_text=seen.append)
    assert seen[-1] == answer.text
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("mode", MODES)
def test_masks_are_announced_once_the_words_are_complete(segmenter, image, mode):
    seen = []
    answer = segmenter.segment(
        image,
        "red",
        mode=mode,
        max_new_tokens=12,
        on_text=seen.append,
        on_decode=lambda: seen.append("decoding"),
    )
    assert seen[-2:] == [answer.text, "decoding"]
    assert seen.count("decoding") == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_stop_after_the_last_word_decodes_nothing(segmenter, image, mode):
    whole, seen = segmenter.segment(image, "red", mode=mode, max_new_tokens=4).text, []
    with pytest.raises(GenerationCanceledError):
        segmenter.segment(
            image,
            "red",
            mode=mode,
            max_new_tokens=4,
            on_text=seen.append,
            on_decode=lambda: seen.append("decoding"),
            should_stop=lambda: whole in seen,
        )
    assert "decoding" not in seen


@pytest.mark.parametrize("mode", MODES)
def test_stopping_at_once(segmenter, image, mode):
    with pytest.raises(GenerationCanceledError) as caught:
        segmenter.segment(image, "red", mode=mode, should_stop=lambda: True)
    assert "[SEG]" not in caught.value.text


@pytest.mark.parametrize("n_texts", [1, 2, 3])
def test_stopping_takes_effect_within_one_piece_of_text(segmenter, image, n_texts):
    seen = []
    with pytest.raises(GenerationCanceledError) as caught:
        segmenter.segment(
            image,
            "red and blue",
            mode="generated",
            on_text=seen.append,
            should_stop=lambda: len(seen) >= n_texts,
        )
    assert len(seen) == n_texts
    assert caught.value.text == seen[-1]


def test_history_is_accepted_and_gives_no_masks_of_its_own(segmenter, image):
    first = segmenter.segment(image, "red")
    history = [Turn(first.prompt_text, "It is [SEG].")]
    answer = segmenter.segment(image, "blue", history=history)
    assert len(answer.masks) == answer.text.count("[SEG]") <= 1


@pytest.mark.parametrize("instruction", ["", " \n\t ", "\x00\x07"])
def test_empty_instructions_are_refused(segmenter, image, instruction):
    with pytest.raises(EmptyInstructionError):
        segmenter.segment(image, instruction)


def test_instructions_that_are_not_text_are_refused(segmenter, image):
    with pytest.raises(InstructionEncodingError):
        segmenter.segment(image, "a \udcff cup")


@pytest.mark.parametrize("turn", [Turn("a \udcff cup", "It is [SEG]."), Turn("a cup", "a \udcff")])
def test_earlier_turns_that_are_not_text_are_refused(segmenter, image, turn):
    with pytest.raises(InstructionEncodingError):
        segmenter.segment(image, "red", history=[turn])


def test_earlier_instructions_that_are_empty_are_refused(segmenter, image):
    with pytest.raises(EmptyInstructionError):
        segmenter.segment(image, "red", history=[Turn("\x00\n", "No.")])


def test_malformed_images_are_refused(segmenter):
    for bad in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)):
        with pytest.raises(ImageError):
            segmenter.segment(bad, "red")
        with pytest.raises(ImageError):
            segmenter.encode_image(bad)
        with pytest.raises(ImageError):
            segmenter.decode(bad, np.zeros((1, 3), np.float32))


def test_unknown_modes_are_refused(segmenter, image):
    with pytest.raises(ConfigurationError, match="guessed"):
        segmenter.segment(image, "red", mode="guessed")


def test_images_of_another_backend_are_refused(segmenter, image):
    class Foreign(FakeSegmenter):
        pass

    other = LisaEngine(random_lisa(seed=1)) if isinstance(segmenter, FakeSegmenter) else Foreign()
    encoded = other.encode_image(image)
    with pytest.raises(ModelError, match="another"):
        segmenter.segment(encoded, "red") if isinstance(segmenter, LisaEngine) else (
            segmenter.decode(encoded, np.zeros((1, 3), np.float32))
        )


def test_the_fake_finds_colours():
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[1, 2:4] = (220, 30, 30)
    fake = FakeSegmenter()
    expected = np.zeros((1, 4, 6), bool)
    expected[0, 1, 2:4] = True
    np.testing.assert_array_equal(fake.segment(picture, "the Red mug").masks, expected)
    assert not fake.segment(picture, "the blue mug").found
    assert not fake.segment(picture, "the mug").found


def test_threads_may_share_a_backend_and_an_image(segmenter, image):
    encoded = segmenter.encode_image(image)
    instructions = ["red", "blue", "the white cup", "red and blue"] * 2

    def ask(instruction):
        return segmenter.segment(encoded, instruction, mode="generated", max_new_tokens=6)

    alone = [ask(i) for i in instructions]
    with ThreadPoolExecutor(4) as pool:
        for expected, answer in zip(alone, pool.map(ask, instructions), strict=True):
            assert_same(answer, expected)

"""What is put to the model: conversation templates, question forms, answers, prompts.

The strings are upstream's, which the weights were trained with. A prompt is a list of spans, so
that the tokenizer knows a user's words from the template around them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lisa_ros.errors import ConfigurationError, TokenizerError
from lisa_ros.model.tokenizer import (
    IM_END_TOKEN,
    IM_START_TOKEN,
    IMAGE_TOKEN,
    SEG_TOKEN,
    LisaTokenizer,
    Span,
)

INSTRUCTION_FIELD = "{instruction}"
DEFAULT_PROMPT_TEMPLATE = "{instruction} Please output segmentation mask."

SHORT_QUESTIONS = (
    "Can you segment the {class_name} in this image?",
    "Please segment the {class_name} in this image.",
    "What is {class_name} in this image? Please respond with segmentation mask.",
    "What is {class_name} in this image? Please output segmentation mask.",
)
LONG_QUESTIONS = (
    "{sent} Please respond with segmentation mask.",
    "{sent} Please output segmentation mask.",
)
EXPLANATORY_QUESTIONS = (
    "Please output segmentation mask and explain why.",
    "Please output segmentation mask and explain the reason.",
    "Please output segmentation mask and give some explanation.",
)
ANSWERS = (
    "It is [SEG].",
    "Sure, [SEG].",
    "Sure, it is [SEG].",
    "Sure, the segmentation result is [SEG].",
    "[SEG].",
)
# The answer that the published evaluation supplies, and this package's prompted mode with it.
SUPPLIED_ANSWER = "[SEG]."
# Not upstream's (its models never refuse): what this project's trainer teaches for absent things.
REFUSAL = "There is no such thing in the image."

# The image goes in front of the first question. Its placeholder is replaced by the tokenizer.
IMAGE_PREFIX = f"{IM_START_TOKEN}{IMAGE_TOKEN}{IM_END_TOKEN}\n"


@dataclass(frozen=True)
class Conversation:
    """The fixed strings around questions and answers.

    A conversation is `opening`, question, `question_end`; each answer adds " ", its text and
    `answer_end`; each further question is preceded by `reopening`. `supervision_separator` is where
    upstream's trainer cuts question from answer.
    """

    name: str
    opening: str
    question_end: str
    answer_end: str
    reopening: str
    supervision_separator: str


LLAVA_V1 = Conversation(
    name="llava_v1",
    opening=(
        "A chat between a curious human and an artificial intelligence assistant. The assistant "
        "gives helpful, detailed, and polite answers to the human's questions. USER: "
    ),
    question_end=" ASSISTANT:",
    answer_end="</s>",
    reopening="USER: ",
    supervision_separator="ASSISTANT: ",
)
LLAVA_LLAMA_2 = Conversation(
    name="llava_llama_2",
    opening=(
        "[INST] <<SYS>>\nYou are a helpful language and vision assistant. You are able to "
        "understand the visual content that the user provides, and assist the user with a "
        "variety of tasks using natural language.\n<</SYS>>\n\n"
    ),
    question_end=" [/INST]",
    answer_end=" </s>",
    reopening="<s>[INST] ",
    supervision_separator="[/INST] ",
)
CONVERSATIONS = {c.name: c for c in (LLAVA_V1, LLAVA_LLAMA_2)}


def conversation_named(name: str) -> Conversation:
    """Return a conversation template; ConfigurationError names those that exist."""
    if name not in CONVERSATIONS:
        raise ConfigurationError(
            f"Unknown conversation template {name!r}; choose one of {', '.join(CONVERSATIONS)}."
        )
    return CONVERSATIONS[name]


def wrap_instruction(instruction: str, template: str = DEFAULT_PROMPT_TEMPLATE) -> list[Span]:
    """Put an untrusted instruction into a trusted template, which names it `{instruction}`."""
    before, field, after = template.partition(INSTRUCTION_FIELD)
    if not field or INSTRUCTION_FIELD in after:
        raise ConfigurationError(
            f"The prompt template {template!r} must contain {INSTRUCTION_FIELD} exactly once, for "
            f"example {DEFAULT_PROMPT_TEMPLATE!r}."
        )
    if IMAGE_TOKEN in template:
        raise ConfigurationError(
            f"The prompt template {template!r} must not contain {IMAGE_TOKEN}: the image stands in "
            "front of the first question of every prompt."
        )
    spans = [Span(before, True), Span(instruction, False), Span(after, True)]
    return [span for span in spans if span.text]


def render(
    conversation: Conversation, exchanges: Sequence[tuple[Sequence[Span], str | None]]
) -> list[Span]:
    """Build the prompt of a conversation about one image.

    exchanges: pairs of a question (spans, without the image) and its answer. The last answer may be
    None: then the prompt ends where the model has to go on. Of an answer only `[SEG]` is trusted: a
    model may have echoed anything else that looks like a special token from its question.
    """
    spans: list[Span] = []
    for index, (question, answer) in enumerate(exchanges):
        if index == 0:
            spans.append(Span(conversation.opening + IMAGE_PREFIX, True))
        else:
            spans.append(Span(conversation.reopening, True))
        spans += question
        spans.append(Span(conversation.question_end, True))
        if answer is not None:
            spans += [Span(" ", True), *_answer(answer), Span(conversation.answer_end, True)]
        elif index != len(exchanges) - 1:
            raise ConfigurationError(
                f"Exchange {index} of {len(exchanges)} has no answer; only the last may be left "
                "open."
            )
    return spans


def _answer(text: str) -> list[Span]:
    first, *rest = text.split(SEG_TOKEN)
    spans = [Span(first, False)]
    for piece in rest:
        spans += [Span(SEG_TOKEN, True), Span(piece, False)]
    return spans


def text_of(spans: Sequence[Span]) -> str:
    """Return the joined text of spans, for people and logs."""
    return "".join(span.text for span in spans)


def accepting_first_tokens(tokenizer: LisaTokenizer, conversation: Conversation) -> frozenset[int]:
    """Return the ids that open an accepting answer right after a prompt.

    Raises TokenizerError when a refusal opens with one of them: with such a tokenizer the first
    token says nothing about yes or no.
    """
    accepting = frozenset(_first_token(tokenizer, conversation, a) for a in ANSWERS)
    if _first_token(tokenizer, conversation, REFUSAL) in accepting:
        raise TokenizerError(
            f"With this tokenizer the refusal {REFUSAL!r} opens with the same token as an "
            "accepting answer; the vocabulary needs a piece for the first word of each."
        )
    return accepting


def _first_token(tokenizer: LisaTokenizer, conversation: Conversation, answer: str) -> int:
    question = [Span("Where?", True)]
    prompt = tokenizer.encode_prompt(render(conversation, [(question, None)]))
    answered = tokenizer.encode_prompt(render(conversation, [(question, answer)]))
    if answered[: len(prompt)] != prompt:
        raise TokenizerError(
            f"With this tokenizer the answer {answer!r} changes the ids of the prompt before it, "
            f"so that an answer cannot be appended to {conversation.name!r} prompts."
        )
    return answered[len(prompt)]

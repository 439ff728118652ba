"""Phones of every synthesiser -> visemes."""

from __future__ import annotations

import numpy as np

from vcam.motion.visemes.table import VISEMES

IGNORE = -1  # a phone whose viseme we do not know: no loss, no score
NEXT = "next"  # h takes the mouth of what follows

Shape = tuple[tuple[str, float], ...]  # visemes within one phone, and the share of each


def _each(groups: dict[str, str]) -> dict[str, Shape]:
    return {
        phone: ((viseme, 1.0),) for viseme, phones in groups.items() for phone in phones.split()
    }


def _glide(first: str, then: str, share: float = 0.55) -> Shape:
    return ((first, share), (then, 1 - share))


_CONSONANTS = {"PP": "p b m", "FF": "f v", "SS": "s z", "nn": "n l", "DD": "t d", "kk": "k g"}

ARPABET = {
    **_each(_CONSONANTS),
    **_each({
        "sil": "pau sil h# #", "PP": "em", "TH": "th dh", "DD": "dx", "CH": "ch jh sh zh",
        "nn": "ng en el nx", "RR": "r er axr", "aa": "aa ae ah", "E": "eh ax", "ih": "ih iy ix y",
        "oh": "ao", "ou": "uw uh w", NEXT: "hh hv",
    }),
    "ey": _glide("E", "ih"), "ay": _glide("aa", "ih"), "oy": _glide("oh", "ih"),
    "aw": _glide("aa", "ou"), "ow": _glide("oh", "ou"),
}  # fmt: skip

# Trilled and tapped r look and sound unlike the English one: left out.
_ELSEWHERE = _each({
    "sil": "# _ pau", "aa": "a", "E": "e E ax", "ih": "i j", "oh": "o O", "ou": "u w",
}) | _each(_CONSONANTS)  # fmt: skip
CZECH = _ELSEWHERE | _each({
    "SS": "s z c dz", "CH": "s~ z~ c~ dz~", "kk": "k g ch", "DD": "t d t~ d~", "nn": "n n* n~ l",
    NEXT: "h",
})  # fmt: skip
ITALIAN = _ELSEWHERE | _each({"SS": "s z ts dz", "CH": "S Z tS dZ", "nn": "n l ng J L"})
FINNISH = _ELSEWHERE | _each({
    "aa": "a @", "E": "e &", "ou": "u w y", "oh": "o 7", "CH": "S", "TH": "T", "nn": "n N l L",
    NEXT: "h",
})  # fmt: skip
CATALAN = _ELSEWHERE | _each({"CH": "S Z", "nn": "n l J L"})

IPA = {
    **_each({
        "PP": "p b m m̩", "FF": "f v", "TH": "θ ð", "DD": "t d ɾ", "kk": "k ɡ g x", "SS": "s z",
        "CH": "tʃ dʒ ʃ ʒ", "nn": "n ŋ l ɫ n̩ l̩", "RR": "ɹ ɚ ɜ r", "aa": "ɑ æ ʌ a ɐ",
        "E": "ɛ e ə", "ih": "ɪ i j ᵻ", "oh": "ɔ ɒ o", "ou": "u ʊ w ʉ", NEXT: "h", "sil": "_",
    }),
    "eɪ": _glide("E", "ih"), "aɪ": _glide("aa", "ih"), "ɔɪ": _glide("oh", "ih"),
    "aʊ": _glide("aa", "ou"), "oʊ": _glide("oh", "ou"), "əʊ": _glide("E", "ou"),
    "iə": _glide("ih", "E"), "eə": _glide("E", "E"), "ʊə": _glide("ou", "E"),
    "əl": _glide("E", "nn"), "aɪə": (("aa", 0.4), ("ih", 0.3), ("E", 0.3)),
    "aɪɚ": (("aa", 0.4), ("ih", 0.3), ("RR", 0.3)), "ɪə": _glide("ih", "E"),
    "ɑːɹ": _glide("aa", "RR"), "ɔːɹ": _glide("oh", "RR"), "oːɹ": _glide("oh", "RR"),
    "ɛɹ": _glide("E", "RR"), "ɪɹ": _glide("ih", "RR"), "ʊɹ": _glide("ou", "RR"),
}  # fmt: skip

SETS = {"en": ARPABET, "cs": CZECH, "it": ITALIAN, "fi": FINNISH, "ca": CATALAN, "ipa": IPA}
_TONGUE = ("th", "dh", "l", "el", "T", "θ", "ð", "ɫ", "l̩")  # its tip shows at the teeth


def shape_of(phone: str, language: str) -> Shape:
    """The visemes of `phone`; empty if unknown. Length and stress marks do not count."""
    table = SETS[language]
    for name in (phone, phone.rstrip("0123456789:ː"), phone.replace("ː", ""), phone[:1]):
        if name in table:
            return table[name]
    return ()


def frame_labels(
    phones: list[tuple[str, float]], language: str, frames: int, hop: float = 0.01
) -> tuple[np.ndarray, np.ndarray]:
    """Phones with their end in seconds -> viseme [frames] int8 and tongue [frames] int8, 0 or 1.

    Frame k is the instant k * hop. Unknown phones are IGNORE.
    """
    viseme = np.full(frames, IGNORE, np.int8)
    tongue = np.zeros(frames, np.int8)
    start = 0.0
    for index, (phone, end) in enumerate(phones):
        shape = shape_of(phone, language)
        if shape and shape[0][0] == NEXT:
            after = phones[index + 1][0] if index + 1 < len(phones) else "pau"
            shape = shape_of(after, language)[:1]
            shape = () if shape and shape[0][0] in (NEXT, "sil") else shape
        first, last = round(start / hop), min(round(end / hop), frames)
        tongue[first:last] = phone.rstrip("0123456789:ː") in _TONGUE
        at = start
        for name, share in shape:
            until = at + share * (end - start)
            viseme[round(at / hop) : min(round(until / hop), frames)] = VISEMES.index(name)
            at = until
        start = end
    viseme[min(round(start / hop), frames) :] = 0  # after the last phone there is silence
    return viseme, tongue

"""What the synthetic voices say: plain sentences, word salad, and syllables of other languages."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WORDS = Path("/usr/share/dict/words")  # Debian: wamerican

SENTENCES = """
Good morning, can everybody hear me?
I think we should start with the budget.
Could you share your screen, please?
The numbers look better than last month.
Sorry, I was on mute.
Let me check that and come back to you.
We ship the new version on Thursday afternoon.
My father bought a boat with a blue roof.
Please move both chairs to the far wall.
Why would anybody choose the smaller room?
She showed us five very fresh fish.
The judge had a huge orange jacket.
Thirty three thieves thought they thrilled the throne.
You usually measure pleasure with a ruler.
Big brown bears prefer blueberry pie.
He hopes to go home before the snow falls.
Put the book on the wooden hook, would you?
Whose shoes are these, and who chose them?
A rough cough is enough to stop the show.
The weather there is rather better than here.
Every evening we visit seven vivid villages.
Maybe Bob and Pam may map the moon.
Father's car is far too hard to park.
Green leaves mean these trees need heat.
I'd like a cup of coffee, a small piece of cake, and the bill.
No, that is not what I meant at all.
Okay, that works for me.
What time is it in your part of the world?
The quick brown fox jumps over the lazy dog.
Yes, absolutely, go ahead.
We found a loud noise around the house.
Boys enjoy noisy toys.
The young yellow unicorn used your yogurt.
Look, the cook took a good book.
It rained all day, so the road was slow.
They change the gauge on a large engine.
Three times nine is twenty seven.
I have never heard such an awful story.
Catherine laughed and clapped her hands.
How about lunch at half past one?
Thank you so much for your help.
The sixth ship's sixth sheep is sick.
Perhaps purple puppets pop up.
We were away a year ago.
Which witch wished which wicked wish?
"""

FUNCTION_WORDS = (
    "the of and to in that is was for with as on be at by this had not are but from or have "
    "they which one you were all her she there would their we him been has when who will no more "
    "if out so up said what its about than into them can only other time new some could these "
    "two may first then do any like my now over such our even most me after also did many before "
    "must through years where much your way well down should because long each just those how"
)

# Syllables that festival's letter-to-sound rules of these languages read without surprises.
SYLLABLES = {
    "cs": ("b c č d f g h j k l m n p r s š t v z ž ch ř", "a e i o u á é í ó ú", "n m l s k t š"),
    "it": ("b d f g l m n p r s t v z gi ci sc gn c", "a e i o u", "n l r s m"),
    "fi": ("h j k l m n p r s t v d", "a e i o u y ä ö aa ee ii oo uu", "n s l t r"),
    "ca": ("b d f g l m n p r s t v x j ll ny", "a e i o u", "n l s r m t"),
}


def english(rng: np.random.Generator, count: int) -> list[str]:
    """`count` texts: a third are sentences, the rest word salad with a natural rhythm."""
    plain = SENTENCES.split("\n")[1:-1]
    words = [word for word in WORDS.read_text().split() if word.isalpha() and word.islower()]
    words = [word for word in words if 3 <= len(word) <= 10]
    return [
        str(rng.choice(plain)) if rng.random() < 0.33 else _salad(rng, words) for _ in range(count)
    ]


def _salad(rng: np.random.Generator, words: list[str]) -> str:
    said = [
        str(rng.choice(FUNCTION_WORDS.split()) if rng.random() < 0.4 else rng.choice(words))
        for _ in range(rng.integers(5, 13))
    ]
    if len(said) > 7 and rng.random() < 0.5:
        said[len(said) // 2] += ","
    return " ".join(said).capitalize() + str(rng.choice([".", ".", "?"]))


def syllables(rng: np.random.Generator, language: str, count: int) -> list[str]:
    """`count` texts of invented words in the spelling of `language`."""
    onsets, vowels, codas = (part.split() for part in SYLLABLES[language])

    def word() -> str:
        said = ""
        for _ in range(rng.integers(1, 4)):
            said += str(rng.choice(onsets)) if rng.random() < 0.9 else ""
            said += str(rng.choice(vowels))
        return said + (str(rng.choice(codas)) if rng.random() < 0.25 else "")

    return [
        " ".join(word() for _ in range(rng.integers(4, 9))) + str(rng.choice([".", "?"]))
        for _ in range(count)
    ]

"""Draws that stay the same on every Python. Of the standard generator they use only `random()`, whose
sequence for a seed is promised never to change; `choice`, `sample` and `shuffle` lack that promise.
"""

import random


class Draws:
    def __init__(self, seed):
        self.random = random.Random(seed).random

    def below(self, n):
        return int(self.random() * n)

    def randint(self, low, high):
        """Both ends included."""
        return low + self.below(high - low + 1)

    def choice(self, options):
        return options[self.below(len(options))]

    def weighted(self, weights, values):
        at = self.random() * sum(weights)
        for weight, value in zip(weights, values):
            at -= weight
            if at < 0:
                return value
        return values[-1]

    def shuffled(self, items):
        """A new list (Fisher and Yates)."""
        items = list(items)
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
        return items

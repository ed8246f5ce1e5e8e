"""Functions whose last bit does not depend on where in an array a number stands."""

import numpy as np

from detection.memory import Matrix

_ROOT_HALF = 0.7071067811865476
_TERMS = (2.8853900817779268, 0.9617966939259756, 0.5770780163555854, 0.41219858311113244,
          0.3205988979753252)  # fmt: skip


def log2(values: Matrix) -> Matrix:
    """Return the binary logarithm of positive numbers to nine digits.

    Vectorised libraries compute the logarithm of an array's tail by other code than its body.
    Here are only sums and products: m 2^e with u = (m - √½) / (m + √½) has the logarithm
    e - ½ + 2/ln 2 (u + u³/3 + u⁵/5 + …).
    """
    mantissa, exponent = np.frexp(values)
    ratio = (mantissa - _ROOT_HALF) / (mantissa + _ROOT_HALF)
    square = ratio * ratio
    total = np.full_like(ratio, _TERMS[-1])
    for term in reversed(_TERMS[:-1]):
        total = total * square + term
    return np.asarray(exponent - 0.5 + ratio * total)

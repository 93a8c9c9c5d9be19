"""Elementary functions to the last bit as Go's package math computes them on amd64, where a fused multiply-add is.

A last digit matters where count_values() writes it into a label, or a comparison with zero follows. Each function here
takes finite numbers for which it has a value; what is special is the caller's. The methods and the coefficients are
those of FreeBSD's msun (log), of Cephes (atan) and of SLEEF (exp), which Go took them from. A processor without a fused
multiply-add, or another architecture, may give exp() and broken powers another last digit.
"""

from __future__ import annotations

import math
from fractions import Fraction

_LN_2_HIGH = 6.93147180369123816490e-01
_LN_2_LOW = 1.90821492927058770002e-10
_LOG = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)
_ATAN_ABOVE = (
    -8.750608600031904122785e-01,
    -1.615753718733365076637e01,
    -7.500855792314704667340e01,
    -1.228866684490136173410e02,
    -6.485021904942025371773e01,
)
_ATAN_BELOW = (
    1.0,
    2.485846490142306297962e01,
    1.650270098316988542046e02,
    4.328810604912902668951e02,
    4.853903996359136964868e02,
    1.945506571482613964425e02,
)
_TAN_3_PI_BY_8 = 2.41421356237309504880
_MORE_BITS_OF_HALF_PI = 6.123233995736765886130e-17
_ONE_BY_LN_2 = 1.44269504088896340735992468100189214
_ONE_BY_LN_10 = 0.434294481903251827651128918916605082
"""Go computes both exactly and rounds once (math/const.go)."""
_LN_2_UPPER = 0.69314718055966295651160180568695068359375
_LN_2_LOWER = 0.28235290563031577122588448175013436025525412068e-12
_EXP = (1 / 40320, 1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5, 1.0)
_EXP_OVERFLOWS = 7.09782712893384e02
_EXP_VANISHES = -7.4513321910194110842e02
_MOST_EXPONENT = 1 << 12


def log(value: float) -> float:
    """Return the natural logarithm of a positive number (math/log.go)."""
    fraction, exponent = math.frexp(value)
    if fraction < math.sqrt(2) / 2:
        fraction, exponent = fraction * 2, exponent - 1
    f = fraction - 1
    s = f / (2 + f)
    s2 = s * s
    s4 = s2 * s2
    odd = s2 * (_LOG[0] + s4 * (_LOG[2] + s4 * (_LOG[4] + s4 * _LOG[6])))
    even = s4 * (_LOG[1] + s4 * (_LOG[3] + s4 * _LOG[5]))
    half = 0.5 * f * f
    return exponent * _LN_2_HIGH - ((half - (s * (half + (odd + even)) + exponent * _LN_2_LOW)) - f)


def log2(value: float) -> float:
    """Return the binary logarithm of a positive number (math/log10.go)."""
    fraction, exponent = math.frexp(value)
    return float(exponent - 1) if fraction == 0.5 else log(fraction) * _ONE_BY_LN_2 + exponent


def log10(value: float) -> float:
    """Return the decimal logarithm of a positive number."""
    return log(value) * _ONE_BY_LN_10


def exp(value: float) -> float:
    """Return e to a power (math/exp_amd64.s): a Taylor series of a sixteenth, which is then squared four times."""
    if value > _EXP_OVERFLOWS:
        return math.inf
    if value < _EXP_VANISHES:
        return 0.0
    exponent = round(_ONE_BY_LN_2 * value)
    rest = _fused(-exponent, _LN_2_LOWER, _fused(-exponent, _LN_2_UPPER, value)) * 0.0625
    series = _EXP[0]
    for coefficient in _EXP[1:]:
        series = _fused(series, rest, coefficient)
    rest *= series
    for _ in range(3):
        rest *= rest + 2.0
    return math.ldexp(_fused(rest, rest + 2.0, 1.0), exponent)


def _fused(a: float, b: float, c: float) -> float:
    """Return a * b + c, rounded once."""
    return float(Fraction(a) * Fraction(b) + Fraction(c))


def atan2(y: float, x: float) -> float:
    """Return the angle of a point, neither of whose coordinates is zero (math/atan2.go)."""
    quotient = y / x
    angle = math.copysign(_atan(abs(quotient)), quotient)
    if x < 0:
        return angle + math.pi if angle <= 0 else angle - math.pi
    return angle


def _atan(value: float) -> float:
    if value <= 0.66:
        return _atan_near_zero(value)
    if value > _TAN_3_PI_BY_8:
        return math.pi / 2 - _atan_near_zero(1 / value) + _MORE_BITS_OF_HALF_PI
    return math.pi / 4 + _atan_near_zero((value - 1) / (value + 1)) + 0.5 * _MORE_BITS_OF_HALF_PI


def _atan_near_zero(value: float) -> float:
    z = value * value
    return value * (z * _polynomial(_ATAN_ABOVE, z) / _polynomial(_ATAN_BELOW, z)) + value


def _polynomial(coefficients: tuple[float, ...], value: float) -> float:
    result = coefficients[0]
    for coefficient in coefficients[1:]:
        result = result * value + coefficient
    return result


def power(base: float, exponent: float) -> float:
    """Return a number to a power (math/pow.go).

    Both are finite, the base is not zero, and it is positive unless the power is whole.
    """
    if exponent in (0.5, -0.5):
        return math.sqrt(base) if exponent > 0 else 1 / math.sqrt(base)
    fraction, whole = math.modf(abs(exponent))
    if whole >= 1 << 63:
        return 1.0 if base == -1 else 0.0 if (abs(base) < 1) == (exponent > 0) else math.inf
    broken = 1.0
    if fraction:
        if fraction > 0.5:
            fraction, whole = fraction - 1, whole + 1
        broken = exp(fraction * log(base))
    result, of_two = _whole_power(base, int(whole), broken)
    if exponent < 0:
        result, of_two = 1 / result, -of_two
    try:
        return math.ldexp(result, of_two)
    except OverflowError:
        return math.copysign(math.inf, result)


def _whole_power(base: float, times: int, result: float) -> tuple[float, int]:
    """Return a factor times a number to a whole power, as a fraction and a power of two."""
    of_two = 0
    square, square_of_two = math.frexp(base)
    while times:
        if abs(square_of_two) > _MOST_EXPONENT:
            return result, of_two + square_of_two
        if times & 1:
            result, of_two = result * square, of_two + square_of_two
        square, square_of_two = square * square, square_of_two * 2
        if square < 0.5:
            square, square_of_two = square * 2, square_of_two - 1
        times >>= 1
    return result, of_two

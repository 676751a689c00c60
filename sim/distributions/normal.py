"""The quantile function of the standard normal, as Cephes has it and scipy after it: the same bits, without loading scipy.

Source: S. L. Moshier, Cephes Math Library 2.1, `ndtri.c` (1989); the relative error is below 5e-15.
"""

import math
from collections.abc import Sequence

import numpy as np

from sim.arrays import Floats

TAIL = 0.13533528323661269189  # exp(-2): from here on out the logarithm of the probability is what counts
ROOT_OF_2_PI = 2.50662827463100050242

_P0 = (-5.99633501014107895267e1, 9.80010754185999661536e1, -5.66762857469070293439e1, 1.39312609387279679503e1,
       -1.23916583867381258016e0)  # fmt: skip
_Q0 = (1.0, 1.95448858338141759834e0, 4.67627912898881538453e0, 8.63602421390890590575e1, -2.25462687854119370527e2,
       2.00260212380060660359e2, -8.20372256168333339912e1, 1.59056225126211695515e1, -1.18331621121330003142e0)  # fmt: skip
_P1 = (4.05544892305962419923e0, 3.15251094599893866154e1, 5.71628192246421288162e1, 4.40805073893200834700e1,
       1.46849561928858024014e1, 2.18663306850790267539e0, -1.40256079171354495875e-1, -3.50424626827848203418e-2,
       -8.57456785154685413611e-4)  # fmt: skip
_Q1 = (1.0, 1.57799883256466749731e1, 4.53907635128879210584e1, 4.13172038254672030440e1, 1.50425385692907503408e1,
       2.50464946208309415979e0, -1.42182922854787788574e-1, -3.80806407691578277194e-2, -9.33259480895457427372e-4)  # fmt: skip
_P2 = (3.23774891776946035970e0, 6.91522889068984211695e0, 3.93881025292474443415e0, 1.33303460815807542389e0,
       2.01485389549179081538e-1, 1.23716634817820021358e-2, 3.01581553508235416007e-4, 2.65806974686737550832e-6,
       6.23974539184983293730e-9)  # fmt: skip
_Q2 = (1.0, 6.02427039364742014255e0, 3.67983563856160859403e0, 1.37702099489081330271e0, 2.16236993594496635890e-1,
       1.34204006088543189037e-2, 3.28014464682127739104e-4, 2.89247864745380683936e-6, 6.79019408009981274425e-9)  # fmt: skip


def below_median(p: Floats | np.float64) -> Floats:
    """The quantiles at probabilities from 0 to 1/2 (those above are their mirror images)."""
    p = np.asarray(p, dtype=np.float64)
    y = p - 0.5
    square = y * y
    z = np.asarray((y + y * (square * _polynomial(square, _P0) / _polynomial(square, _Q0))) * ROOT_OF_2_PI)
    tail = p <= TAIL
    z[tail] = _of_tail(p[tail])
    return z


def quantile(p: float) -> float:
    """The quantile at one probability."""
    return float(below_median(np.float64(p)) if p <= 0.5 else -below_median(np.float64(1.0 - p)))


def _of_tail(p: Floats) -> Floats:
    # The C library's logarithm: numpy's may differ in the last bit, and from processor to processor.
    x = np.sqrt(-2.0 * _log(p))
    with np.errstate(invalid="ignore"):  # the very end, where both are infinite
        inverse = 1.0 / x
        near = inverse * _polynomial(inverse, _P1) / _polynomial(inverse, _Q1)
        far = inverse * _polynomial(inverse, _P2) / _polynomial(inverse, _Q2)
        z: Floats = np.where(x < 8.0, near, far) - (x - _log(x) / x)
    return np.where(p > 0.0, z, -np.inf)


def _log(values: Floats) -> Floats:
    return np.array([math.log(value) if value > 0.0 else -math.inf for value in values.tolist()])


def _polynomial(x: Floats, coefficients: Sequence[float]) -> Floats:
    """By Horner's rule, highest power first."""
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total

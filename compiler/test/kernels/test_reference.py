"""The reference of these tests is itself right: against loops written out, and able to tell wrong from right."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from builder import Function, Output, gamma
from operations import conv, depthwise, elementwise, pad, pool, reduce, scalar_operand

pytestmark = pytest.mark.usefixtures("native_only")


@pytest.fixture(scope="session")
def native_only(pytestconfig):
    if pytestconfig.getoption("--platform") != "x86_64-linux":
        pytest.skip("the same on every platform")


def naive_conv(x, w, stride, dilation):
    n, c, h, width = x.shape
    oc, _, kh, kw = w.shape
    oh, ow = ((s - dilation * (k - 1) - 1) // stride + 1 for s, k in ((h, kh), (width, kw)))
    y = np.zeros((n, oc, oh, ow))
    for b, o, i, j in itertools.product(range(n), range(oc), range(oh), range(ow)):
        for ic, p, q in itertools.product(range(c), range(kh), range(kw)):
            y[b, o, i, j] += x[b, ic, i * stride + p * dilation, j * stride + q * dilation] * w[o, ic, p, q]
    return y


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2), (3, 2)])
def test_convolution_is_that_of_six_loops(stride, dilation):
    f = Function("reference")
    x, w = f.arg([2, 3, 9, 8]), f.const([4, 3, 3, 2])
    y = conv(f, x, w, None, stride, dilation)
    assert np.allclose(y.ref, naive_conv(x.ref, w.ref, stride, dilation), rtol=1e-13)
    z = depthwise(f, x, f.const([3, 3, 2], data=w.ref[0]), None, stride, dilation)
    one_channel = [naive_conv(x.ref[:, c : c + 1], w.ref[:1, c : c + 1], stride, dilation) for c in range(3)]
    assert np.allclose(z.ref, np.concatenate(one_channel, 1), rtol=1e-13)


def test_pooling_and_padding_are_those_of_loops():
    f = Function("reference")
    x = f.arg([1, 2, 5, 6])
    padded = pad(f, x, [0, 0, 1, 0], [0, 0, 0, 2], -np.inf)
    y = pool(f, padded, (2, 3), 2)
    for c, i, j in itertools.product(range(2), range(3), range(3)):
        assert y.ref[0, c, i, j] == padded.ref[0, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 3].max()
    assert padded.ref[0, 1, 1, 0] == x.ref[0, 1, 0, 0] and padded.ref[0, 1, 0, 0] == -np.inf


def test_float32_stays_within_the_bound_and_near_it():
    """A sum in the worst of orders stays inside; one that dropped a term does not."""
    f = Function("reference")
    x = f.arg([1, 10_000], data=np.abs(f.data.standard_normal([1, 10_000])).astype(np.float32))
    y = reduce(f, x, [1], "sum")
    single = np.float32(0)
    for value in x.ref[0].astype(np.float32):
        single = np.float32(single + value)
    assert abs(single - y.ref[0]) <= y.err[0] <= 2 * gamma(10_000) * y.ref[0]
    assert not Output(y).problem(np.array([single]))
    dropped = np.array([y.ref[0] - np.sort(x.ref[0])[-30:].sum()], np.float32)
    assert "1 of 1 elements are wrong" in Output(y).problem(dropped)


def test_wrong_results_are_told():
    f = Function("reference")
    y = elementwise(f, "maximum", f.arg([3], data=np.array([np.nan, 2, -1], np.float32)), scalar_operand(f, 0))
    right = np.array([np.nan, 2, 0], np.float32)
    assert not Output(y).problem(right)
    for wrong in ([0, 2, 0], [np.nan, 2.0000002, 0], [np.nan, 2, np.nan], [np.nan, np.inf, 0]):
        assert Output(y).problem(np.array(wrong, np.float32))
    assert Output(y).problem(right.astype(np.float64)) and Output(y).problem(right[:2])

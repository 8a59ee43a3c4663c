"""Pictures in RGB and as encoders take them."""

from typing import Any, cast

import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame

from realtime_avatar.media.picture import Frame, i420, nv12, rgb, size


@pytest.fixture
def picture() -> Frame:
    """Colours that change slowly, so that little is lost with three quarters of them."""
    corners = np.random.default_rng(0).integers(0, 256, (2, 3, 3), np.uint8)
    return np.asarray(cv2.resize(corners, (64, 48), interpolation=cv2.INTER_LINEAR), np.uint8)


def test_nv12_is_as_large_as_the_picture_and_half_as_many_bytes(picture: Frame):
    planes = nv12(picture)
    assert size(planes) == size(picture) == (48, 64)
    assert planes.nbytes * 2 == picture.nbytes


def test_what_is_there_already_is_not_made_again(picture: Frame):
    planes = nv12(picture)
    assert rgb(picture) is picture
    assert nv12(planes) is planes


def test_colours_come_back(picture: Frame):
    assert np.abs(rgb(nv12(picture)).astype(int) - picture).mean() < 2


@pytest.mark.parametrize(("make", "name"), [(nv12, "nv12"), (i420, "yuv420p")])
def test_ffmpeg_reads_the_planes(picture: Frame, make: Any, name: str):
    read = cast("Any", VideoFrame.from_ndarray(make(picture), format=name))
    assert np.abs(read.to_ndarray(format="rgb24").astype(int) - picture).mean() < 3


def test_both_layouts_have_the_same_planes(picture: Frame):
    assert (i420(nv12(picture)) == i420(picture)).all()

"""Paints the picture (LivePortrait's G).

Park et al., "Semantic Image Synthesis with Spatially-Adaptive Normalization", CVPR 2019:
what the warped features say is given to every normalisation anew.
"""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from realtime_avatar.face.ditto.layers import SpectralConv2d

FEATURES = 256  # channels of the warped features
LEAK = 0.2


class Decoder(nn.Module):
    """Warped features in, picture out."""

    def __init__(self, narrow: int = 1) -> None:
        super().__init__()
        features = FEATURES // narrow
        wide = 2 * features
        self.fc = nn.Conv2d(features, wide, 3, padding=1)
        self.G_middle_0 = SpadeBlock(features, wide, wide)
        self.G_middle_1 = SpadeBlock(features, wide, wide)
        self.G_middle_2 = SpadeBlock(features, wide, wide)
        self.G_middle_3 = SpadeBlock(features, wide, wide)
        self.G_middle_4 = SpadeBlock(features, wide, wide)
        self.G_middle_5 = SpadeBlock(features, wide, wide)
        self.up_0 = SpadeBlock(features, wide, features)
        self.up_1 = SpadeBlock(features, features, features // 4)
        self.conv_img = nn.Sequential(
            nn.Conv2d(features // 4, 12, 3, padding=1), nn.PixelShuffle(2)
        )

    @property
    def middle(self) -> list["SpadeBlock"]:
        """The six blocks at the features' own size."""
        return [getattr(self, f"G_middle_{number}") for number in range(6)]

    def forward(self, feature: Tensor) -> Tensor:
        """Return the picture.

        Args:
            feature: (batch, 256, 64, 64), from the warp network.

        Returns:
            (batch, 3, 512, 512), RGB in [0, 1].
        """
        x = self.fc(feature)
        for block in self.middle:
            x = block(x, feature)
        x = self.up_0(F.interpolate(x, scale_factor=2), feature)
        x = self.up_1(F.interpolate(x, scale_factor=2), feature)
        return torch.sigmoid(self.conv_img(F.leaky_relu(x, LEAK)))


class SpadeBlock(nn.Module):
    """Two modulated convolutions and a way past them."""

    def __init__(self, features: int, inputs: int, outputs: int) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        self.conv_0 = SpectralConv2d(inputs, middle, 3)
        self.conv_1 = SpectralConv2d(middle, outputs, 3)
        self.norm_0 = Spade(features, inputs)
        self.norm_1 = Spade(features, middle)
        self.learned_shortcut = inputs != outputs
        if self.learned_shortcut:
            self.conv_s = SpectralConv2d(inputs, outputs, 1, bias=False)
            self.norm_s = Spade(features, inputs)

    def forward(self, x: Tensor, feature: Tensor) -> Tensor:
        past = self.conv_s(self.norm_s(x, feature)) if self.learned_shortcut else x
        x = self.conv_0(F.leaky_relu(self.norm_0(x, feature), LEAK))
        return past + self.conv_1(F.leaky_relu(self.norm_1(x, feature), LEAK))


class Spade(nn.Module):
    """Instance norm, scaled and shifted at each place as the features say."""

    def __init__(self, features: int, channels: int) -> None:
        super().__init__()
        hidden = features // 2
        self.mlp_shared = nn.Sequential(nn.Conv2d(features, hidden, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor, feature: Tensor) -> Tensor:
        hidden = self.mlp_shared(F.interpolate(feature, size=x.shape[2:]))
        return F.instance_norm(x) * (1 + self.mlp_gamma(hidden)) + self.mlp_beta(hidden)

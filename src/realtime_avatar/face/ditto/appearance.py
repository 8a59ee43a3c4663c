"""What the person looks like, as a volume of features (LivePortrait's F)."""

from torch import Tensor, nn

from realtime_avatar.face.ditto.layers import ConvBlock2d, ResidualBlock3d

CHANNELS, DEPTH = 32, 16


class AppearanceExtractor(nn.Module):
    """Picture in, volume out.

    Args:
        narrow: What all widths are divided by, here and in the other networks: 1 as published.
    """

    def __init__(self, narrow: int = 1) -> None:
        super().__init__()
        width = 64 // narrow
        channels = CHANNELS // narrow
        self.first = ConvBlock2d(3, width)
        self.down_blocks = nn.Sequential(
            ConvBlock2d(width, 2 * width, halve=True), ConvBlock2d(2 * width, 4 * width, halve=True)
        )
        self.second = nn.Conv2d(4 * width, channels * DEPTH, 1)
        self.resblocks_3d = nn.Sequential()
        for number in range(6):
            self.resblocks_3d.add_module(f"3dr{number}", ResidualBlock3d(channels))

    def forward(self, picture: Tensor) -> Tensor:
        """Return the volume of a face.

        Args:
            picture: float, (batch, 3, 256, 256), RGB in [0, 1], cut as `enrol` does.

        Returns:
            (batch, 32, 16, 64, 64): channels, depth, height, width.
        """
        x = self.second(self.down_blocks(self.first(picture)))
        return self.resblocks_3d(x.unflatten(1, (-1, DEPTH)))

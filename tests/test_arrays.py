import torch
from PIL import Image

from pellucid.arrays import contact_sheet, to_image, to_picture


def test_pictures_come_back_from_tensors_bit_for_bit() -> None:
    levels = torch.arange(256).repeat(3, 1).reshape(3, 16, 16) / 255
    assert torch.equal(to_image(to_picture(levels)), levels)
    assert torch.equal(to_image(to_picture(levels[:1]), channels=1), levels[:1])


def test_values_outside_are_clipped_and_rows_stay_rows() -> None:
    image = torch.tensor([[[2.0, -1.0, 0.5], [0.0, 0.0, 0.0]]]).repeat(3, 1, 1)
    picture = to_picture(image)
    assert picture.size == (3, 2)
    assert [picture.getpixel((col, 0)) for col in range(3)] == [(255,) * 3, (0,) * 3, (128,) * 3]


def test_five_channels_are_shown_as_their_mean() -> None:
    assert to_picture(torch.linspace(0, 1, 5).reshape(5, 1, 1)).getpixel((0, 0)) == 128


def test_a_sheet_is_read_like_a_page() -> None:
    sheet = contact_sheet([Image.new("RGB", (2, 2), (each, 0, 0)) for each in (10, 20, 30)], columns=2, gap=1, background="black")
    assert sheet.size == (5, 5)
    assert [sheet.getpixel(at)[0] for at in ((0, 0), (3, 0), (0, 3), (3, 3), (2, 2))] == [10, 20, 30, 0, 0]

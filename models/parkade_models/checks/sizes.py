"""The shapes of the largest inputs that a bundle's manifest allows, for dimensions that its graph leaves open."""

from parkade_api.bundle import BundleDescription, BytesInput, ImageInput, TensorInput, TextInput


def largest_inputs(manifest: BundleDescription) -> dict[str, tuple[int, ...]]:
    """The shape of each input tensor, by name; -1 where the manifest leaves the size open too."""
    rows, given = manifest.rowsPerRun, manifest.input
    match given:
        case TextInput():
            return dict.fromkeys(given.tensors, (rows, given.maxTokens))
        case BytesInput():
            return {given.tensor: (rows, given.beginning + given.end)}
        case ImageInput():
            return {given.tensor: _image(rows, given)}
        case TensorInput():
            return {tensor.name: tuple(tensor.shape) for tensor in given.tensors}


def _image(rows: int, given: ImageInput) -> tuple[int, ...]:
    channels = {"L": 1, "RGB": 3}[given.mode]
    if given.layout == "NCHW":
        return rows, channels, given.height, given.width
    return rows, given.height, given.width, channels

"""One more output for an ONNX model, without the onnx package.

A model file is a protobuf message, and protobuf parsers merge messages that are simply
joined: lists in them are concatenated. So sixty bytes behind the file that say "the graph
also has this output" are all that is needed, and the verified file stays as it is.
"""

from pathlib import Path

from realtime_avatar.voice.protobuf import field


def with_int64_output(model: Path, tensor: str) -> bytes:
    """Return an ONNX model that also outputs one of its inner tensors.

    Args:
        model: The file.
        tensor: Name of an int64 tensor in its graph; becomes the last output.

    Returns:
        A serialised ModelProto. Field numbers are those of onnx.proto: ModelProto.graph 7,
        GraphProto.output 12, ValueInfoProto.name 1 and .type 2, TypeProto.tensor_type 1,
        Tensor.elem_type 1 (7 is INT64).
    """
    kind = field(1, field(1, 7))
    value = field(1, tensor.encode()) + field(2, kind)
    return model.read_bytes() + field(7, field(12, value))

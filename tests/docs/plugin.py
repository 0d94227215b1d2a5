"""A generator for buf that only writes down what it was asked for, and in which Go package."""

from __future__ import annotations

import sys

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse

request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
package = {file.name: file.options.go_package for file in request.proto_file}
lines = [f"{name} {package[name]}" for name in request.file_to_generate]
# buf asks for each directory by itself.
name = f"{request.file_to_generate[0].replace('/', '_')}.txt"
asked = CodeGeneratorResponse.File(name=name, content="\n".join(lines))
sys.stdout.buffer.write(CodeGeneratorResponse(file=[asked]).SerializeToString())

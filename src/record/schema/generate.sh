#!/bin/sh
# Writes the descriptors of the schemas here as C arrays to standard output:
#   src/record/schema/generate.sh > src/record/schema/descriptors.h
# Needs protoc (apt install protobuf-compiler; PROTOC names another). CI needs neither: the result
# is committed, and record.recording_schema compares it when protoc is there.
set -eu
cd "$(dirname "$0")"
set_file=$(mktemp)
trap 'rm -f "$set_file"' EXIT
echo "// clang-format off"
echo "/* Made by src/record/schema/generate.sh: the schemas beside it as FileDescriptorSets. */"
for name in genba/Samples genba/Text genba/Bytes foxglove/CompressedImage foxglove/RawImage \
    foxglove/CompressedVideo; do
    ${PROTOC:-protoc} -I. --include_imports --descriptor_set_out="$set_file" "$name.proto"
    echo
    echo "static const unsigned char descriptor_$(basename "$name" | sed "s/[A-Z]/_\l&/g; s/^_//")[] = {"
    od -An -v -tu1 -w20 "$set_file" | sed 's/  *\([0-9][0-9]*\)/ \1,/g; s/^ /    /'
    echo "};"
done

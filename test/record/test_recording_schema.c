/* The schemas in recording files are those published in src/record/schema. */
#include "record/recording_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SCHEMAS GENBA_SOURCE_DIR "/src/record/schema"

static void descriptors_are_those_of_the_schemas(void **state)
{
    (void)state;
    if (system("${PROTOC:-protoc} --version > /dev/null 2>&1") != 0) {
        print_message("skipped: needs protoc (apt install protobuf-compiler)\n");
        skip();
    }
    assert_int_equal(system("sh " SCHEMAS "/generate.sh | cmp - " SCHEMAS "/descriptors.h"), 0);
}

static void every_kind_has_a_schema(void **state)
{
    (void)state;
    for (int i = 0; i < GB_MESSAGE_KIND_COUNT; i++) {
        const gb_message_schema *schema = gb_message_schema_of((gb_message_kind)i);
        gb_message_kind kind = GB_MESSAGE_KIND_COUNT;
        assert_int_equal(gb_message_kind_parse(schema->name, &kind), GB_OK);
        assert_int_equal(kind, i);
        /* A FileDescriptorSet that holds the message's own name. */
        const char *own = strchr(schema->name, '.') + 1;
        assert_non_null(memmem(schema->descriptor, schema->size, own, strlen(own)));
    }
    gb_message_kind kind = GB_MESSAGE_KIND_COUNT;
    assert_int_equal(gb_message_kind_parse("sensor_msgs/msg/Imu", &kind), GB_ERR_PARSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_are_those_of_the_schemas),
        cmocka_unit_test(every_kind_has_a_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A ROS 2 message in CDR, hostile, read as each of the types and as streams of a map that may not
 * fit it. The first byte chooses. */
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef GENBA_WITH_CYCLONEDDS
#include "control/link_dds_cdr.h"

#include <string.h>

static const char text[] =
    "name: m\nrate_hz: 100\nobservations:\n"
    "  - {name: a, unit: \"1\", topic: /a, type: JointState, columns: [elbow, wrist]}\n"
    "  - {name: b, unit: \"1\", topic: /b, type: JointState, field: effort, shape: [3]}\n"
    "  - {name: c, unit: \"1\", topic: /c, type: Imu, field: orientation, shape: [4]}\n"
    "  - {name: d, unit: \"1\", topic: /d, type: LaserScan, shape: [8], low: [0], high: [1]}\n"
    "  - {name: e, unit: \"1\", topic: /e, type: Image, shape: [2, 3, 3]}\n"
    "  - {name: f, unit: \"1\", topic: /f, type: Image, shape: [2, 3]}\n"
    "  - {name: g, unit: \"1\", topic: /g, type: TwistStamped, shape: [6]}\n"
    "  - {name: h, unit: \"1\", topic: /h, type: JointTrajectory, columns: [elbow, wrist]}\n"
    "  - {name: i, unit: \"1\", topic: /i, type: Float64MultiArray, shape: [4]}\n"
    "actions:\n  - {name: z, unit: \"1\"}\n";

static gb_dds_binding bindings[16]; /* made once */
static int count;

static void bind_all(void)
{
    gb_link_map *map = NULL;
    if (gb_link_map_parse("m.yaml", text, strlen(text), &map) != GB_OK)
        abort();
    count = map->info.observation_stream_count;
    for (int i = 0; i < count; i++)
        if (gb_dds_bind(map, &map->info.observation_streams[i], &map->observations[i], 0,
                        &bindings[i]) != GB_OK)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double values[64];
    void *message = NULL;
    if (size < 1)
        return 0;
    if (count == 0)
        bind_all();
    const gb_dds_binding *b = &bindings[data[0] % count];
    if (gb_dds_cdr_read(b->type, data + 1, size - 1, &message) != GB_OK)
        return 0;
    if (gb_dds_decode(b, message, values) == 0) {
        double sum = 0;
        for (int i = 0; i < b->size; i++)
            sum += values[i];
        if (sum == 0.123456789)
            abort(); /* the values are looked at */
    }
    gb_dds_cdr_free(b->type, message);
    return 0;
}
#else
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)data;
    (void)size;
    return 0;
}
#endif

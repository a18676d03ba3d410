/* The table of readers: a new format is one file and one line here. How they are run is ingest.c.
 */
#include "ingest/reader.h"

#include <string.h>

extern const gb_reader gb_reader_csv, gb_reader_jsonl, gb_reader_json, gb_reader_blocks;
extern const gb_reader gb_reader_lerobot, gb_reader_mcap, gb_reader_mqtt, gb_reader_parquet;
extern const gb_reader gb_reader_audio, gb_reader_hdf5, gb_reader_images, gb_reader_npy;

static const gb_reader *const readers[] = {
    &gb_reader_csv,     /* csv_map.c */
    &gb_reader_jsonl,   /* jsonl.c */
    &gb_reader_json,    /* jsonl.c */
    &gb_reader_blocks,  /* label_blocks.c */
    &gb_reader_audio,   /* audio.c */
    &gb_reader_hdf5,    /* hdf5.c */
    &gb_reader_images,  /* images.c */
    &gb_reader_lerobot, /* lerobot_read.c */
    &gb_reader_npy,     /* npy.c */
    &gb_reader_mcap,    /* mcap.c */
    &gb_reader_mqtt,    /* mqtt.c: live only */
    &gb_reader_parquet, /* parquet_map.c */
};
#define READER_COUNT ((int)(sizeof readers / sizeof *readers))

int gb_reader_count(void)
{
    return READER_COUNT;
}

const char *gb_reader_name(int reader)
{
    return reader >= 0 && reader < READER_COUNT ? readers[reader]->name : NULL;
}

const gb_reader *gb_reader_find(const char *name)
{
    for (int i = 0; i < READER_COUNT; i++)
        if (strcmp(readers[i]->name, name) == 0)
            return readers[i];
    return NULL;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

const gb_reader *gb_reader_for_file(const char *path)
{
    for (int i = 0; i < READER_COUNT; i++)
        for (const char *const *end = readers[i]->ends; end && *end; end++)
            if (ends_with(path, *end))
                return readers[i];
    return NULL;
}

bool gb_reader_takes_folders(const gb_reader *reader)
{
    return reader == &gb_reader_images;
}

gb_recording_info gb_map_info(const gb_stream_map *map, const char *name, const char *source)
{
    const gb_map_data *data = map->data;
    return (gb_recording_info){.name = name,
                               .source = source,
                               .instruction = data->instruction,
                               .outcome = data->outcome,
                               .residency = data->residency,
                               .owner = data->owner,
                               .licence = data->licence,
                               .purpose = data->purpose};
}

/* eval/data.c: where benchmark data lies, how its publishers laid it out, and the demonstrations of
 * plants. The reading itself is the ingest room's. */
#include "eval/data.h"
#include "eval/suite.h"
#include "genba/ingest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

gb_status gb_data_find(const char *folder, const char *relative, char *out_path, size_t size)
{
    const char *environment = getenv("GENBA_DATA");
    const char *places[2] = {folder ? folder : environment, folder ? NULL : "data"};
    for (int i = 0; i < 2; i++) {
        char path[GB_PATH_MAX];
        if (!places[i] || !*places[i])
            continue;
        int length = snprintf(path, sizeof path, "%s/%s", places[i], relative);
        if (length < 0 || (size_t)length >= sizeof path || (size_t)length >= size)
            return gb_fail(GB_ERR_ARGUMENT, "the path of %s is too long", relative);
        if (gb_file_exists(path)) {
            memcpy(out_path, path, (size_t)length + 1);
            return GB_OK;
        }
    }
    if (folder)
        return gb_fail(GB_ERR_NOT_FOUND,
                       "%s is not in %s: put it there (data/README.md says where it comes from)",
                       relative, folder);
    return gb_fail(GB_ERR_NOT_FOUND,
                   "%s is neither in GENBA_DATA (%s) nor in ./data: set GENBA_DATA to the folder "
                   "that holds it (data/README.md says where it comes from)",
                   relative, environment && *environment ? environment : "not set");
}

/* ---- layouts ----------------------------------------------------------------------------------
 * Compiled in, so that a suite needs the data and nothing else. examples/maps/ has the same maps
 * with more comment, for people to start from. */
typedef struct layout {
    const char *name, *map;
} layout;

static const layout layouts[] = {
    {"ett", "name: ett\n"
            "reader: csv\n"
            "files: [\"ETT*.csv\"]\n"
            "csv: {delimiter: comma, header: present, bad_cells: strict}\n"
            "time: {column: date, format: datetime}\n"
            "streams:\n"
            "  - name: transformer\n"
            "    columns: [HUFL, HULL, MUFL, MULL, LUFL, LULL, OT]\n"
            "    kind: vector\n"},
    {"skab", "name: skab\n"
             "reader: csv\n"
             "files: [\"[0-9]*.csv\"]\n"
             "csv: {delimiter: semicolon, header: present, bad_cells: strict}\n"
             "time: {column: datetime, format: datetime}\n"
             "streams:\n"
             "  - name: bench\n"
             "    columns: [Accelerometer1RMS, Accelerometer2RMS, Current, Pressure, Temperature,\n"
             "              Thermocouple, Voltage, \"Volume Flow RateRMS\"]\n"
             "    kind: vector\n"
             "  - {name: anomaly, columns: [anomaly], kind: event}\n"},
    {"cmapss", "name: cmapss\n"
               "reader: csv\n"
               "files: [\"*_FD001.txt\"]\n"
               "csv: {delimiter: space, header: present, header_names_extra: ignore,\n"
               "      bad_cells: strict}\n"
               "time: {column: time, format: row, period_s: 3600}\n"
               "group: [unit_number]\n"
               "streams:\n"
               "  - name: engine.sensor\n"
               "    columns: [s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15,\n"
               "              s16, s17, s18, s19, s20, s21]\n"
               "    kind: vector\n"},
    {"cmapss_life", "name: cmapss_life\n"
                    "reader: csv\n"
                    "files: [\"RUL_FD001.txt\"]\n"
                    "csv: {delimiter: space, header: present, bad_cells: strict}\n"
                    "time: {format: none, period_s: 3600}\n"
                    "streams:\n"
                    "  - {name: life, columns: [RUL]}\n"},
    {"pusht", "name: pusht\n"
              "reader: csv\n"
              "files: [pusht_lowdim.csv]\n"
              "csv: {delimiter: comma, header: present, bad_cells: strict}\n"
              "time: {column: time_s, format: seconds}\n"
              "group: [episode]\n"
              "streams:\n"
              "  - {name: agent.position, columns: [agent_x_px, agent_y_px], unit: \"{px}\"}\n"
              "  - {name: block.position, columns: [block_x_px, block_y_px], unit: \"{px}\"}\n"
              "  - {name: block.angle, columns: [block_angle_rad], kind: vector, unit: rad}\n"
              "  - name: agent.target\n"
              "    columns: [action_x_px, action_y_px]\n"
              "    kind: action\n"
              "    unit: \"{px}\"\n"},
};
#define LAYOUT_COUNT (sizeof layouts / sizeof *layouts)

gb_status gb_benchmark_read(const char *name, const char *path, gb_dataset **out)
{
    const layout *found = NULL;
    for (size_t i = 0; i < LAYOUT_COUNT; i++) {
        if (strcmp(layouts[i].name, name) == 0)
            found = &layouts[i];
    }
    if (!found)
        return gb_fail(GB_ERR_NOT_FOUND, "benchmark layout \"%s\": no such layout", name);
    gb_stream_map *map = NULL;
    GB_TRY(gb_stream_map_parse(found->map, strlen(found->map), name, &map));
    gb_status status = gb_ingest_folder(map, path, NULL, NULL, out);
    gb_stream_map_destroy(map);
    return status;
}

gb_status gb_benchmark_stream(const gb_recording *recording,
                              const char *stream,
                              int64_t size,
                              const gb_stream_view **out)
{
    int number = gb_recording_find(recording, stream);
    const gb_stream_view *view = number < 0 ? NULL : gb_recording_stream(recording, number);
    if (!view || view->size != size)
        return gb_fail(GB_ERR_MISMATCH, "%s: expected stream \"%s\" of %lld numbers a row",
                       gb_recording_get_info(recording)->name, stream, (long long)size);
    *out = view;
    return GB_OK;
}

void gb_time_text(int64_t time_ns, char *out, size_t size)
{
    time_t seconds = (time_t)(time_ns / 1000000000);
    struct tm parts;
    if (!gmtime_r(&seconds, &parts) || strftime(out, size, "%Y-%m-%d %H:%M", &parts) == 0)
        out[0] = 0;
}

/* ---- demonstrations ---------------------------------------------------------------------------
 */

typedef struct demonstration_file {
    const char *plant, *file; /* the layout has the plant's name */
} demonstration_file;
static const demonstration_file files[] = {{"pusht", "pusht/pusht_lowdim.csv"}};
#define FILE_COUNT (sizeof files / sizeof *files)

gb_status gb_demonstrations_load(const char *folder, const char *plant, gb_dataset **out)
{
    char path[GB_PATH_MAX];
    for (size_t i = 0; i < FILE_COUNT; i++) {
        if (strcmp(files[i].plant, plant) == 0) {
            GB_TRY(gb_data_find(folder, files[i].file, path, sizeof path));
            return gb_benchmark_read(plant, path, out);
        }
    }
    return gb_fail(GB_ERR_NOT_FOUND, "plant %s has no recorded demonstrations here", plant);
}

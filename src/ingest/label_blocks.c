/* Tables in blocks: a line with a label, then rows, then blank lines, and so on to the end of the
 * file, as robots log attempts and their outcomes. Each block becomes a recording whose outcome is
 * the label; its rows are read as CSV. */
#include "ingest/csv.h"
#include "ingest/lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES_MAX ((size_t)64 << 20)

typedef struct passage {
    const gb_source *source;
    char *text; /* the rows of the block so far */
    size_t size, room;
    int64_t first_line; /* lines of the file before the rows */
    char label[GB_STREAM_NAME_MAX + 1];
    bool begun;
    int64_t blocks, recordings; /* seen; those with rows */
    gb_arena *arena;
    gb_layout layout; /* of the first block; all others are laid out alike */
    bool laid_out;
} passage;

static bool is_blank_line(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] != ' ' && text[i] != '\t')
            return false;
    return true;
}

/* A block's first line is its label when it is not made of numbers. */
static bool take_label(passage *p, const char *text, size_t size)
{
    while (size > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        size--;
    }
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    bool number = (*text >= '0' && *text <= '9') || *text == '-' || *text == '+' || *text == '.';
    if (number || size > GB_STREAM_NAME_MAX || !gb_text_is_utf8(text, size))
        return false;
    memcpy(p->label, text, size);
    p->label[size] = 0;
    return true;
}

static gb_status keep_row(passage *p, const char *text, size_t size)
{
    if (p->size + size + 1 > BLOCK_BYTES_MAX)
        return gb_fail(GB_ERR_PARSE,
                       "%s: a block of more than 64 MiB from line %lld on; are blocks parted by "
                       "blank lines?",
                       p->source->path, (long long)p->first_line + 1);
    if (p->size + size + 1 > p->room) {
        size_t room = 2 * (p->size + size + 1) + 4096;
        char *grown = realloc(p->text, room);
        if (!grown)
            return gb_fail(GB_ERR_MEMORY, "%s: no memory for a block", p->source->path);
        p->text = grown;
        p->room = room;
    }
    memcpy(p->text + p->size, text, size);
    p->size += size;
    p->text[p->size++] = '\n';
    return GB_OK;
}

static gb_status read_rows(passage *p, const gb_source *source, gb_rows *rows)
{
    const gb_map_csv *csv = &source->map->data->csv;
    gb_layout_hints hints = {.delimiter = (char)csv->delimiter,
                             .decimal = (char)csv->decimal,
                             .header = csv->header == GB_HEADER_YES ? GB_HEADER_YES : GB_HEADER_NO,
                             .widths = csv->widths,
                             .width_count = csv->widths_count};
    if (!p->laid_out)
        GB_TRY(gb_layout_find(rows, &hints, p->arena, &p->layout));
    p->laid_out = true;
    gb_csv_table table = {.input = &rows->input,
                          .layout = &p->layout,
                          .cutting = {.delimiter = p->layout.delimiter,
                                      .widths = csv->widths,
                                      .width_count = csv->widths_count},
                          .lines_before = p->first_line,
                          .outcome = p->label[0] ? p->label : NULL};
    return gb_csv_read_table(source, &table);
}

static bool is_strict(const gb_source *source)
{
    bool as_mapped = source->options->bad_cells == GB_BAD_CELLS_AS_MAPPED;
    return (as_mapped ? source->map->data->csv.bad_cells : (int)source->options->bad_cells) ==
           GB_BAD_CELLS_STRICT;
}

/* A label without rows counts as a row that was rejected. */
static gb_status lone_label(passage *p)
{
    const gb_source *source = p->source;
    const gb_ingest_watch *watch = source->watch;
    if (is_strict(source))
        return gb_fail(GB_ERR_PARSE, "%s, row %lld: the label \"%s\" and no rows below it",
                       source->path, (long long)p->first_line, p->label);
    source->report->rows_read++;
    source->report->rows_rejected++;
    return watch->reject
               ? watch->reject(watch->context, source->path, p->first_line, "",
                               "expected rows below the label", p->label, strlen(p->label))
               : GB_OK;
}

/* The block is whole: one recording. A block of which no row can be used is none. */
static gb_status end_block(passage *p)
{
    char name[600];
    gb_input input;
    gb_rows rows;
    bool mark;
    if (!p->begun)
        return GB_OK;
    p->begun = false;
    p->blocks++;
    if (p->size == 0)
        return lone_label(p);
    snprintf(name, sizeof name, "%.500s/%04lld", p->source->name, (long long)p->recordings);
    gb_ingest_watch watch = *p->source->watch; /* what is told of bytes would be the block's */
    watch.segment = NULL;
    watch.progress = NULL;
    gb_source source = *p->source;
    source.name = name;
    source.watch = &watch;
    gb_ingest_report before = *source.report;
    GB_TRY(gb_input_open_memory(p->text, p->size, p->source->path, "utf-8", &input));
    GB_TRY(gb_rows_open_input(&input, source.options->line_limit_bytes, &rows, &mark));
    gb_status status = read_rows(p, &source, &rows);
    gb_rows_close(&rows);
    source.report->bytes = before.bytes;
    p->size = 0;
    bool no_row = status == GB_ERR_PARSE && source.report->rows_stored == before.rows_stored &&
                  source.report->rows_rejected > before.rows_rejected;
    p->recordings += status == GB_OK;
    return no_row && !is_strict(p->source) ? GB_OK : status;
}

static gb_status take_line(passage *p, const char *text, size_t size, int64_t number)
{
    if (is_blank_line(text, size))
        return end_block(p);
    if (p->begun)
        return keep_row(p, text, size);
    p->begun = true;
    p->label[0] = 0;
    p->first_line = number;
    if (take_label(p, text, size))
        return GB_OK;
    p->first_line = number - 1;
    return keep_row(p, text, size);
}

static gb_status read_lines(passage *p, gb_lines *lines)
{
    const gb_source *source = p->source;
    const gb_ingest_watch *watch = source->watch;
    const char *text = NULL;
    size_t size = 0;
    for (int64_t left = source->map->data->csv.skip_rows;; left--) {
        GB_TRY(gb_lines_next(lines, &text, &size));
        if (!text)
            break;
        if (left > 0)
            continue;
        GB_TRY(take_line(p, text, size, lines->number));
        if (!p->begun && watch->progress)
            GB_TRY(watch->progress(watch->context, lines->decoder.at, lines->input->size));
    }
    GB_TRY(end_block(p));
    if (p->recordings > 0)
        return GB_OK;
    return gb_fail(GB_ERR_PARSE, "%s: %s", source->path,
                   p->blocks > 0 ? "no row of its blocks could be used, expected a label and rows"
                                 : "only blank lines, expected blocks of rows");
}

static gb_status read_source(const gb_source *source)
{
    passage p = {.source = source};
    gb_ingest_report before = *source->report;
    gb_input input;
    gb_lines lines;
    GB_TRY(gb_input_open_file(source->path, source->map->data->csv.encoding, &input));
    gb_status status = gb_arena_create(0, &p.arena);
    if (status == GB_OK)
        status = gb_lines_open(&input, source->options->line_limit_bytes, &lines);
    if (status == GB_OK) {
        status = read_lines(&p, &lines);
        gb_lines_close(&lines);
    }
    if (status == GB_OK)
        source->report->bytes += input.size;
    else
        gb_csv_take_back(&before, source->report);
    gb_arena_destroy(p.arena);
    free(p.text);
    gb_input_close(&input);
    return status;
}

const gb_reader gb_reader_blocks = {"blocks", false, NULL, read_source, NULL};

/* eval/table_text.c: results for a terminal and for programs. The report has its own pages. */
#include "genba/eval.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL_BYTES 96

/* Characters on screen: bytes that do not continue a UTF-8 character. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

static void format_cell(const gb_interval *score, const gb_result_column *column, char *out)
{
    int digits = column->digits;
    if (isnan(score->value))
        snprintf(out, CELL_BYTES, "-");
    else if (isnan(score->low))
        snprintf(out, CELL_BYTES, "%.*f", digits, score->value);
    else
        snprintf(out, CELL_BYTES, "%.*f [%.*f, %.*f]", digits, score->value, digits, score->low,
                 digits, score->high);
}

static void column_title(const gb_result_column *column, char *out)
{
    snprintf(out, CELL_BYTES, "%s%s%s", column->name, *column->unit ? " " : "", column->unit);
}

static const char *source_name(gb_result_source source)
{
    static const char *const names[] = {"measured", "baseline", "published"};
    return names[source];
}

static void put_padded(FILE *to, const char *text, int width, bool right)
{
    int pad = width - width_of(text);
    if (right)
        fprintf(to, "%*s", pad > 0 ? pad : 0, "");
    fputs(text, to);
    if (!right)
        fprintf(to, "%*s", pad > 0 ? pad : 0, "");
}

static int column_width(const gb_result_table *table, int column)
{
    char cell[CELL_BYTES];
    column_title(&table->columns[column], cell);
    int width = width_of(cell);
    for (int r = 0; r < table->row_count; r++) {
        format_cell(&table->rows[r].scores[column], &table->columns[column], cell);
        int w = width_of(cell);
        width = w > width ? w : width;
    }
    return width;
}

static void put_table(FILE *to, const gb_result_table *table)
{
    char cell[CELL_BYTES];
    int method_width = 6;
    for (int r = 0; r < table->row_count; r++) {
        int w = width_of(table->rows[r].method);
        method_width = w > method_width ? w : method_width;
    }
    fprintf(to, "%s\n%s\n", table->title, table->caption);
    put_padded(to, "method", method_width, false);
    fputs("  source   ", to);
    for (int c = 0; c < table->column_count; c++) {
        column_title(&table->columns[c], cell);
        fputs("  ", to);
        put_padded(to, cell, column_width(table, c), true);
    }
    fputc('\n', to);
    for (int r = 0; r < table->row_count; r++) {
        const gb_result_row *row = &table->rows[r];
        put_padded(to, row->method, method_width, false);
        fputs("  ", to);
        put_padded(to, source_name(row->source), 9, false);
        for (int c = 0; c < table->column_count; c++) {
            format_cell(&row->scores[c], &table->columns[c], cell);
            fputs("  ", to);
            put_padded(to, cell, column_width(table, c), true);
        }
        fputc('\n', to);
    }
}

gb_status gb_table_text(const gb_result_table *table, gb_arena *arena, char **out_text)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to)
        return gb_fail(GB_ERR_MEMORY, "table %s: no memory for its text", table->title);
    put_table(to, table);
    bool whole = fclose(to) == 0;
    char *copy = whole ? gb_arena_text(arena, text) : NULL;
    free(text);
    if (!copy)
        return gb_fail(GB_ERR_MEMORY, "table %s: no memory for its text", table->title);
    *out_text = copy;
    return GB_OK;
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *score_json(const gb_result_column *column, const gb_interval *score)
{
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "name", column->name, "unit", column->unit,
                     "value", number(score->value), "low", number(score->low), "high",
                     number(score->high));
}

static json_t *table_json(const gb_result_table *table)
{
    json_t *rows = json_array();
    for (int r = 0; r < table->row_count; r++) {
        const gb_result_row *row = &table->rows[r];
        json_t *scores = json_array();
        for (int c = 0; c < table->column_count; c++)
            json_array_append_new(scores, score_json(&table->columns[c], &row->scores[c]));
        json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:o}", "method", row->method,
                                              "source", source_name(row->source), "note", row->note,
                                              "scores", scores));
    }
    return json_pack("{s:s, s:s, s:o}", "title", table->title, "caption", table->caption, "rows",
                     rows);
}

static json_t *episodes_json(const gb_rollout_set *set)
{
    json_t *episodes = json_array();
    for (int i = 0; set && i < set->count; i++) {
        const gb_rollout *e = &set->episodes[i];
        json_array_append_new(episodes,
                              json_pack("{s:I, s:i, s:f, s:f, s:b}", "seed", (json_int_t)e->seed,
                                        "steps", e->steps, "score", e->result.score, "max_progress",
                                        e->result.max_progress, "success", (int)e->result.success));
    }
    return episodes;
}

gb_status gb_suite_result_json(const gb_suite_result *result, gb_arena *arena, char **out_text)
{
    json_t *tables = json_array();
    for (int i = 0; i < result->table_count; i++)
        json_array_append_new(tables, table_json(&result->tables[i]));
    json_t *root =
        json_pack("{s:s, s:s, s:f, s:s, s:b, s:s, s:o, s:o}", "suite", result->suite, "command",
                  result->command, "wall_s", result->wall_s, "skipped", result->skipped, "complete",
                  !*result->stopped, "stopped", result->stopped, "tables", tables, "episodes",
                  episodes_json(result->rollouts));
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    char *copy = text ? gb_arena_text(arena, text) : NULL;
    free(text);
    if (!copy)
        return gb_fail(GB_ERR_MEMORY, "suite %s: no memory for its JSON", result->suite);
    *out_text = copy;
    return GB_OK;
}

/* Any bytes as a Parquet file, every column of it read: a status with a message or as many rows as
 * the file says, never a crash. */
#include "ingest/parquet.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROWS_READ_MAX 20000 /* of a column: constant columns claim millions in a few bytes */

static void
convert(const gb_parquet *file, const gb_parquet_column *column, const gb_parquet_batch *b)
{
    size_t bytes = gb_value_type_bytes(gb_parquet_value_type(column));
    if (bytes == 0)
        return;
    void *values = malloc((size_t)b->entries * bytes + 1);
    if (values && gb_parquet_convert(file, column, b, values) != GB_OK &&
        gb_error_message()[0] == 0)
        abort();
    free(values);
}

static gb_status
read_column(const gb_parquet *file, int group, int column, int64_t step, gb_parquet_batch *batch)
{
    gb_parquet_cursor *cursor = NULL;
    GB_TRY(gb_parquet_cursor_open(file, group, column, &cursor));
    gb_status status = GB_OK;
    int64_t rows = file->groups[group].rows, left = rows < ROWS_READ_MAX ? rows : ROWS_READ_MAX;
    while (left > 0 && status == GB_OK) {
        int64_t take = left < step ? left : step;
        status = gb_parquet_read(cursor, take, batch);
        if (status == GB_OK && (batch->rows != take || batch->row_start[take] != batch->entries))
            abort();
        if (status == GB_OK)
            convert(file, &file->columns[column], batch);
        left -= take;
    }
    if (status == GB_OK && rows <= ROWS_READ_MAX)
        status = gb_parquet_cursor_end(cursor);
    gb_parquet_cursor_close(cursor);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gb_bytes_in *from = NULL;
    gb_parquet *file = NULL;
    if (gb_bytes_in_memory(data, size, "fuzz.parquet", &from) != GB_OK)
        return 0;
    if (gb_parquet_open(from, &file) != GB_OK) {
        if (gb_error_message()[0] == 0)
            abort();
        return 0;
    }
    gb_parquet_batch batch = {0};
    for (int g = 0; g < file->group_count && g < 8; g++)
        for (int c = 0; c < file->column_count && c < 64; c++) {
            int64_t step = gb_parquet_batch_rows(file, g, &c, 1);
            if (read_column(file, g, c, step < 100 ? step : 100, &batch) != GB_OK &&
                gb_error_message()[0] == 0)
                abort();
        }
    gb_parquet_batch_free(&batch);
    gb_parquet_close(file);
    return 0;
}

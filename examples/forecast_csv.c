/* The smallest forecasting program: a trained model, a CSV file nobody described, what comes next.
 *
 *   cc forecast_csv.c $(pkg-config --cflags --libs genba) -o forecast_csv
 *   ./forecast_csv runs/ett/model data/ett/ETTh1.csv OT
 *
 * Prints one line a row of the horizon: the lowest, middle and highest quantile. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <genba/ingest.h>
#include <genba/model.h>

static int failed(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, gb_error_message());
    return EXIT_FAILURE;
}

/* The last look_back values of a column; missing where the file is shorter. */
static int read_past(const char *path, const char *column, float *past, int look_back)
{
    gb_dataset *dataset;
    if (gb_ingest_csv_guess(path, NULL, NULL, &dataset) != GB_OK)
        return failed("reading");
    const gb_recording *recording = gb_dataset_get(dataset, 0);
    int stream = gb_recording_find(recording, column);
    if (stream < 0) {
        fprintf(stderr, "%s has no column of numbers called %s\n", path, column);
        gb_dataset_destroy(dataset);
        return EXIT_FAILURE;
    }
    const gb_stream_view *view = gb_recording_stream(recording, stream);
    for (int i = 0; i < look_back; i++) {
        int64_t row = view->count - look_back + i;
        past[i] = row < 0 ? NAN : view->values[row];
    }
    gb_dataset_destroy(dataset);
    return EXIT_SUCCESS;
}

static int forecast(const gb_model *model, const char *path, const char *column)
{
    const gb_model_config *config = gb_model_get_config(model);
    int levels = (int)config->head.quantile_count, horizon = config->head.horizon;
    float *past = malloc(sizeof(float) * (size_t)config->codec.look_back);
    float *out = malloc(sizeof(float) * (size_t)(horizon * levels));
    gb_session *session = NULL;
    int code = past && out ? read_past(path, column, past, config->codec.look_back) : EXIT_FAILURE;
    if (code == EXIT_SUCCESS &&
        (gb_session_create(model, gb_session_defaults(), &session) != GB_OK ||
         gb_session_forecast(session, past, 1, horizon, out) != GB_OK))
        code = failed("forecasting");
    for (int h = 0; code == EXIT_SUCCESS && h < horizon; h++)
        printf("%4d  %g  %g  %g\n", h + 1, (double)out[h * levels],
               (double)out[h * levels + levels / 2], (double)out[h * levels + levels - 1]);
    gb_session_destroy(session);
    free(past);
    free(out);
    return code;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        puts("usage: forecast_csv MODEL FILE.csv COLUMN");
        return EXIT_SUCCESS;
    }
    if (argc != 4) {
        fputs("usage: forecast_csv MODEL FILE.csv COLUMN\n", stderr);
        return EXIT_FAILURE;
    }
    gb_model *model;
    if (gb_model_load(argv[1], &model) != GB_OK)
        return failed("loading");
    int code = forecast(model, argv[2], argv[3]);
    gb_model_destroy(model);
    return code;
}

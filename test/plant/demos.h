/* test/plant/demos.h: the 206 human demonstrations of PushT, read from data/pusht/pusht_lowdim.csv.
 */
#ifndef TEST_PLANT_DEMOS_H
#define TEST_PLANT_DEMOS_H

#include <stdio.h>
#include <stdlib.h>

#define DEMO_COUNT 206
#define DEMO_ROWS 25650

typedef struct demo_row {
    double observation[5];
    double action[2];
} demo_row;

typedef struct demos {
    demo_row *rows;            /* [DEMO_ROWS] */
    int first[DEMO_COUNT + 1]; /* demonstration i is rows first[i] .. first[i+1] - 1 */
} demos;

/* False when the file is not there or not whole. Free `rows`. */
static inline int demos_read(demos *out)
{
    FILE *file = fopen(GENBA_SOURCE_DIR "/data/pusht/pusht_lowdim.csv", "r");
    if (!file)
        return 0;
    out->rows = malloc(DEMO_ROWS * sizeof *out->rows);
    int rows = 0, episode = 0, previous = -1, frame = 0;
    double time_s;
    char line[512];
    while (out->rows && rows < DEMO_ROWS && fgets(line, sizeof line, file)) {
        demo_row *row = &out->rows[rows];
        double *o = row->observation, *a = row->action;
        if (sscanf(line, "%d,%d,%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf", &episode, &frame, &time_s, &o[0],
                   &o[1], &o[2], &o[3], &o[4], &a[0], &a[1]) != 10)
            continue; /* the names */
        if (episode != previous && episode < DEMO_COUNT)
            out->first[episode] = rows;
        previous = episode;
        rows++;
    }
    fclose(file);
    out->first[DEMO_COUNT] = rows;
    return rows == DEMO_ROWS && previous == DEMO_COUNT - 1;
}

#endif

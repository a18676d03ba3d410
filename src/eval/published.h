/* eval/published.h: figures that others published, with their sources. Private to eval. */
#ifndef GENBA_EVAL_PUBLISHED_H
#define GENBA_EVAL_PUBLISHED_H

#define GB_PUBLISHED_SCORES 8

typedef struct gb_published_row {
    const char *set;                    /* the table it belongs under: "ETTh1", "skab", "pusht" */
    const char *method;                 /* as its authors call it */
    const char *source;                 /* who, when, where; what to mind when comparing */
    double scores[GB_PUBLISHED_SCORES]; /* in the columns of that table; NAN not reported */
} gb_published_row;

extern const gb_published_row gb_published_rows[];
extern const int gb_published_row_count;

#endif

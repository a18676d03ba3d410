/* base/words.h: wording for messages about names that are not known. For rooms only. */
#ifndef GENBA_BASE_WORDS_H
#define GENBA_BASE_WORDS_H

#include <stddef.h>

enum {
    GB_WORDS_BYTES = 512
};

/* A list of allowed words and the one nearest to what was written. Start with
 * {.written = "..."} and add every allowed word. */
typedef struct gb_words {
    const char *written;
    const char *nearest; /* borrowed from the words added */
    int nearest_distance;
    size_t used;
    char list[GB_WORDS_BYTES];       /* "a, b, c", ends in " ..." when cut */
    char suggestion[GB_WORDS_BYTES]; /* filled by gb_words_suggest */
} gb_words;

void gb_words_add(gb_words *words, const char *word);
/* "did you mean "b"? " when one word is alike enough, otherwise "". */
const char *gb_words_suggest(gb_words *words);

#endif

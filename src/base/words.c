/* The nearest of some allowed words, for "did you mean". */
#include "base/words.h"

#include <stdio.h>
#include <string.h>

enum {
    WORD_BYTES = 64
};

/* Levenshtein's distance of two words, of which the first 63 bytes count. */
static int distance(const char *a, const char *b)
{
    int row[WORD_BYTES];
    int a_length = (int)strnlen(a, WORD_BYTES - 1), b_length = (int)strnlen(b, WORD_BYTES - 1);
    for (int j = 0; j <= b_length; j++)
        row[j] = j;
    for (int i = 1; i <= a_length; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= b_length; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            int least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = change < least ? change : least;
        }
    }
    return row[b_length];
}

void gb_words_add(gb_words *words, const char *word)
{
    int apart = distance(words->written, word);
    if (words->nearest == NULL || apart < words->nearest_distance) {
        words->nearest = word;
        words->nearest_distance = apart;
    }
    if (words->used >= sizeof words->list - 1)
        return;
    int put = snprintf(words->list + words->used, sizeof words->list - words->used, "%s%s",
                       words->used > 0 ? ", " : "", word);
    words->used += put > 0 ? (size_t)put : 0;
    if (words->used >= sizeof words->list)
        memcpy(words->list + sizeof words->list - 5, " ...", 5);
}

/* Alike: at most a third of the letters differ, or two in short words. */
const char *gb_words_suggest(gb_words *words)
{
    int length = (int)strnlen(words->written, WORD_BYTES);
    int allowed = length / 3 < 2 ? 2 : length / 3;
    words->suggestion[0] = 0;
    if (words->nearest != NULL && words->nearest_distance <= allowed &&
        words->nearest_distance < length)
        snprintf(words->suggestion, sizeof words->suggestion, "did you mean \"%.64s\"? ",
                 words->nearest);
    return words->suggestion;
}

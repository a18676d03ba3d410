/* What is said when a query finds no recording: what was asked, and which names there are. */
#include "genba/store.h"

#include <stdio.h>
#include <string.h>

enum {
    NAMES_SAID = 5,
    NAME_CHARACTERS = 60 /* longer names are cut */
};

typedef struct said {
    char text[NAMES_SAID * (NAME_CHARACTERS + 8)];
    size_t used;
    int count;
} said;

static void add(char *text, size_t size, size_t *used, const char *before, const char *what)
{
    if (!what)
        return;
    size_t length = strlen(what);
    bool cut = length > NAME_CHARACTERS;
    length = cut ? NAME_CHARACTERS : length;
    while (cut && length > 0 && ((unsigned char)what[length] & 0xC0) == 0x80)
        length--; /* no half of a UTF-8 character */
    int put =
        snprintf(text + *used, size - *used, "%s%.*s%s", before, (int)length, what, cut ? "~" : "");
    if (put > 0)
        *used += (size_t)put < size - *used ? (size_t)put : size - *used - 1;
}

static gb_status say_name(void *context, const gb_store_entry *entry)
{
    said *s = context;
    if (s->count++ == NAMES_SAID)
        return GB_ERR_INTERRUPTED; /* enough */
    add(s->text, sizeof s->text, &s->used, s->used ? ", " : "", entry->info->name);
    return GB_OK;
}

gb_status gb_store_none(gb_store *store, const gb_store_query *query)
{
    said names = {0};
    char asked[512] = "";
    size_t used = 0;
    int64_t all = 0;
    const char *path = gb_store_path(store);
    GB_TRY(gb_store_count(store, NULL, &all));
    if (all == 0)
        return gb_fail(GB_ERR_NOT_FOUND, "the store %s holds no recording yet", path);
    gb_status status = gb_store_list(store, NULL, say_name, &names);
    if (status != GB_OK && status != GB_ERR_INTERRUPTED)
        return status;
    add(asked, sizeof asked, &used, " name ", query ? query->name : NULL);
    add(asked, sizeof asked, &used, " split ", query ? query->split : NULL);
    add(asked, sizeof asked, &used, " owner ", query ? query->owner : NULL);
    add(asked, sizeof asked, &used, " residency ", query ? query->residency : NULL);
    add(asked, sizeof asked, &used, " stream ", query ? query->stream : NULL);
    return gb_fail(GB_ERR_NOT_FOUND,
                   "no recording of the store %s matches%s; it holds %lld: %s%s (genba store list "
                   "%s)",
                   path, used ? asked : " the times asked for", (long long)all, names.text,
                   all > NAMES_SAID ? ", ..." : "", path);
}

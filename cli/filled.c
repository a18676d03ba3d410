/* The store that genba record and genba ingest fill: opened, or made when there is none; and taken
 * back when it was made here and nothing came of the work. */
#include "cli.h"

gb_status filled_open(filled *f, const char *path, const gb_store_options *options)
{
    *f = (filled){.path = path};
    if (!gb_file_exists(path)) {
        GB_TRY(gb_folder_missing(path, f->made, sizeof f->made));
        GB_TRY(gb_store_init(path, options->key_path != NULL, options));
    }
    return gb_store_open(path, options, &f->store);
}

void filled_close(filled *f, bool done)
{
    gb_store_close(f->store);
    f->store = NULL;
    if (!done && *f->made && !gb_store_unmake(f->path, f->made) && gb_store_is(f->path))
        fprintf(stderr, "what was in the catalogue by then stays: genba inspect %s\n", f->path);
    *f->made = 0;
}

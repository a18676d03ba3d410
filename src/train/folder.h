/* train/folder.h: folders that appear whole or not at all. Inside the room only. */
#ifndef GENBA_TRAIN_FOLDER_H
#define GENBA_TRAIN_FOLDER_H

#include "genba/base.h"

/* A new empty folder ".<name>.partial" beside `path`, to be filled and then committed. */
GB_MUST gb_status gb_folder_begin(const char *path, char *partial, size_t size);
/* Renames it to `path` and makes that durable; what was at `path` is removed. */
GB_MUST gb_status gb_folder_commit(const char *partial, const char *path);
/* Removes a folder and all in it; fine when it is not there. Renamed first, so that a kill in
 * between leaves no half folder under the old name. */
void gb_folder_remove(const char *path);
/* Removes what killed writers left in `path`: hidden ".partial" and ".old" folders. */
void gb_folder_sweep(const char *path);

#endif

/* Opens HDF5 files with everything that leads out of them shut: links to other files, plug-ins for
 * filters, raw data kept elsewhere (hdf5_array.c). Knows no streams. */
#ifdef GENBA_WITH_HDF5
#include "ingest/hdf5_file.h"

#include "ingest/natural.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAMES_MAX 1000000

static herr_t refuse_other_files(const char *file,
                                 const char *group,
                                 const char *other_file,
                                 const char *other_object,
                                 unsigned *flags,
                                 hid_t access,
                                 void *context)
{
    (void)file;
    (void)group;
    (void)other_file;
    (void)other_object;
    (void)flags;
    (void)access;
    (void)context;
    return -1;
}

static gb_status open_quietly(gb_hdf5 *to)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access < 0 || to->link_access < 0 || to->data_access < 0)
        return gb_fail(GB_ERR_MEMORY, "%s: libhdf5 has no memory", to->path);
    H5Pset_fapl_sec2(access);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    H5Pset_elink_cb(to->link_access, refuse_other_files, NULL);
    H5Pset_elink_cb(to->data_access, refuse_other_files, NULL);
    to->file = H5Fopen(to->path, H5F_ACC_RDONLY, access);
    H5Pclose(access);
    if (to->file >= 0)
        return GB_OK;
    if (H5Fis_hdf5(to->path) == 0)
        return gb_fail(GB_ERR_PARSE, "%s is no HDF5 file", to->path);
    return gb_hdf5_fail(to, "opening");
}

gb_status gb_hdf5_open(const char *path, gb_hdf5 *out)
{
    struct stat about;
    if (stat(path, &about) != 0 || !S_ISREG(about.st_mode))
        return gb_fail(GB_ERR_IO, "cannot open %s: no regular file", path);
    gb_hdf5 hdf5 = {.path = path, .bytes = (int64_t)about.st_size, .file = -1};
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLset_loading_state(0);
    hdf5.link_access = H5Pcreate(H5P_LINK_ACCESS);
    hdf5.data_access = H5Pcreate(H5P_DATASET_ACCESS);
    gb_status status = open_quietly(&hdf5);
    if (status != GB_OK) {
        gb_hdf5_close(&hdf5);
        return status;
    }
    *out = hdf5;
    return GB_OK;
}

void gb_hdf5_close(gb_hdf5 *hdf5)
{
    if (hdf5->file >= 0)
        H5Fclose(hdf5->file);
    if (hdf5->link_access >= 0)
        H5Pclose(hdf5->link_access);
    if (hdf5->data_access >= 0)
        H5Pclose(hdf5->data_access);
}

/* The first entry of the stack is where it went wrong; the others are who asked. */
static herr_t keep_first(unsigned number, const H5E_error2_t *error, void *context)
{
    char *text = context;
    if (number == 0 && error->desc)
        snprintf(text, 160, "%s", error->desc);
    return 0;
}

gb_status gb_hdf5_fail(const gb_hdf5 *hdf5, const char *object)
{
    char text[160] = "unknown error";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, text);
    H5Eclear2(H5E_DEFAULT);
    return gb_fail(GB_ERR_CORRUPT, "%s, %s: the HDF5 file is cut, damaged or not readable: %s%s",
                   hdf5->path, object, text,
                   strstr(text, "version")
                       ? " (written for a newer libhdf5? write it with libver \"v110\" or earlier)"
                       : "");
}

bool gb_hdf5_exists(const gb_hdf5 *hdf5, hid_t from, const char *path)
{
    char part[GB_HDF5_PATH_MAX];
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof part)
        return false;
    for (size_t end = path[0] == '/' ? 1 : 0; end <= size; end++) {
        if (end < size && path[end] != '/')
            continue;
        if (end == 0 || path[end - 1] == '/')
            continue;
        memcpy(part, path, end);
        part[end] = 0;
        bool there = H5Lexists(from, part, hdf5->link_access) > 0 &&
                     H5Oexists_by_name(from, part, hdf5->link_access) > 0;
        H5Eclear2(H5E_DEFAULT);
        if (!there)
            return false;
    }
    return true;
}

gb_status gb_hdf5_group(const gb_hdf5 *hdf5, hid_t from, const char *path, hid_t *out)
{
    hid_t group = H5Oopen(from, path, hdf5->link_access);
    if (group < 0)
        return gb_hdf5_fail(hdf5, path);
    if (H5Iget_type(group) != H5I_GROUP) {
        H5Oclose(group);
        return gb_fail(GB_ERR_SCHEMA, "%s: %s is no group", hdf5->path, path);
    }
    *out = group;
    return GB_OK;
}

/* ---- listing ----------------------------------------------------------------------------------
 */

typedef struct listing {
    const gb_hdf5 *hdf5;
    gb_arena *arena;
    gb_hdf5_name *names;
    int64_t count, room;
    gb_status status;
} listing;

static int compare_names(const void *a, const void *b)
{
    return gb_natural_compare(((const gb_hdf5_name *)a)->text, ((const gb_hdf5_name *)b)->text);
}

static gb_status add_name(listing *l, hid_t group, const char *name)
{
    H5O_info_t about;
    if (H5Oget_info_by_name2(group, name, &about, H5O_INFO_BASIC, l->hdf5->link_access) < 0)
        return gb_hdf5_fail(l->hdf5, name);
    if (l->count == NAMES_MAX)
        return gb_fail(GB_ERR_UNSUPPORTED, "%s: a group of more than %d objects", l->hdf5->path,
                       NAMES_MAX);
    if (l->count == l->room) {
        int64_t room = l->room ? 2 * l->room : 64;
        gb_hdf5_name *grown = gb_arena_alloc(l->arena, (size_t)room * sizeof *grown);
        if (!grown)
            return GB_ERR_MEMORY;
        if (l->count > 0)
            memcpy(grown, l->names, (size_t)l->count * sizeof *grown);
        l->names = grown;
        l->room = room;
    }
    gb_hdf5_name *to = &l->names[l->count];
    *to = (gb_hdf5_name){gb_arena_text(l->arena, name), about.type == H5O_TYPE_GROUP,
                         about.type == H5O_TYPE_DATASET};
    if (!to->text)
        return GB_ERR_MEMORY;
    l->count++;
    return GB_OK;
}

static herr_t on_link(hid_t group, const char *name, const H5L_info_t *about, void *context)
{
    listing *l = context;
    if (about->type != H5L_TYPE_HARD || strlen(name) >= GB_HDF5_PATH_MAX)
        return 0;
    l->status = add_name(l, group, name);
    return l->status == GB_OK ? 0 : -1;
}

gb_status gb_hdf5_list(
    const gb_hdf5 *hdf5, hid_t group, gb_arena *arena, gb_hdf5_name **out, int64_t *out_count)
{
    listing l = {.hdf5 = hdf5, .arena = arena};
    herr_t done = H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, on_link, &l);
    if (l.status != GB_OK)
        return l.status;
    if (done < 0)
        return gb_hdf5_fail(hdf5, "the list of a group");
    if (l.count > 0)
        qsort(l.names, (size_t)l.count, sizeof *l.names, compare_names);
    *out = l.names;
    *out_count = l.count;
    return GB_OK;
}
#else
typedef int gb_hdf5_file_is_off;
#endif

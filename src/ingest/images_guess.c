/* The map proposed for a folder of pictures, or for the folder a picture lies in: which files, and
 * where its labels seem to be. */
#include "ingest/arrays.h"
#include "ingest/images_load.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum {
    PATH_BYTES = 4096,
    FILES_LOOKED_AT = 100000
};

typedef struct found {
    bool jpg, jpeg, png; /* endings, in small letters */
    bool xml;
    int64_t pictures;
    char json[256]; /* the first .json */
} found;

static bool ends_with(const char *name, const char *end)
{
    size_t size = strlen(name), end_size = strlen(end);
    return size > end_size && strcasecmp(name + size - end_size, end) == 0;
}

static found look_into(const char *folder)
{
    found seen = {0};
    DIR *listed = opendir(folder);
    const struct dirent *entry;
    for (int i = 0; listed && i < FILES_LOOKED_AT && (entry = readdir(listed)) != NULL; i++) {
        const char *name = entry->d_name;
        bool jpg = ends_with(name, ".jpg"), jpeg = ends_with(name, ".jpeg");
        bool png = ends_with(name, ".png");
        seen.jpg |= jpg;
        seen.jpeg |= jpeg;
        seen.png |= png;
        seen.pictures += jpg || jpeg || png;
        seen.xml |= ends_with(name, ".xml");
        if (ends_with(name, ".json") && strlen(name) < sizeof seen.json)
            snprintf(seen.json, sizeof seen.json, "%s", name);
    }
    if (listed)
        closedir(listed);
    return seen;
}

/* Beside the pictures, or in a folder called like labels beside theirs. */
static void put_labels(gb_yaml_out *out, const char *folder, const found *here)
{
    static const char *const beside[] = {"../ANNOTATIONS", "../Annotations", "../annotations",
                                         "../labels",      "../xml",         ".."};
    char path[2 * PATH_BYTES];
    if (here->xml) {
        gb_yaml_put(out, "labels: {format: voc, path: \".\"}\n");
        return;
    }
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, beside[i]);
        found there = look_into(path);
        if (!there.xml && !there.json[0])
            continue;
        snprintf(path, sizeof path, "%s%s%s", beside[i], there.xml ? "" : "/",
                 there.xml ? "" : there.json);
        gb_yaml_put(out, "labels: {format: %s, path: ", there.xml ? "voc" : "coco");
        gb_yaml_put_text(out, path, strlen(path));
        gb_yaml_put(out, "}%s\n", there.xml ? "" : " # if that file is of COCO");
        return;
    }
}

static void put_files(gb_yaml_out *out, const found *here)
{
    static const char *const patterns[] = {"*.[jJ][pP][gG]", "*.[jJ][pP][eE][gG]",
                                           "*.[pP][nN][gG]"};
    const bool there[] = {here->jpg, here->jpeg, here->png};
    const char *comma = "";
    gb_yaml_put(out, "files: [");
    for (int i = 0; i < 3; i++) {
        if (!there[i])
            continue;
        gb_yaml_put(out, "%s\"%s\"", comma, patterns[i]);
        comma = ", ";
    }
    gb_yaml_put(out, "] # ");
    gb_yaml_put_count(out, here->pictures);
    gb_yaml_put(out, " pictures; each folder of them becomes one recording\n");
}

gb_status gb_images_guess(const char *path,
                          const gb_ingest_options *options,
                          gb_arena *arena,
                          const char **out_yaml)
{
    struct stat about;
    char folder[PATH_BYTES];
    gb_yaml_out out;
    (void)options;
    if (stat(path, &about) != 0 || strlen(path) >= sizeof folder)
        return gb_fail(GB_ERR_IO, "cannot open %.200s", path);
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (!S_ISDIR(about.st_mode))
        snprintf(slash ? slash : folder, 2, slash ? "" : ".");
    found here = look_into(folder[0] ? folder : "/");
    if (here.pictures == 0)
        return gb_fail(GB_ERR_NOT_FOUND, "%s holds no file called .jpg, .jpeg or .png", folder);
    GB_TRY(gb_yaml_out_open(&out));
    slash = strrchr(folder, '/');
    const char *name = slash && slash[1] ? slash + 1 : folder;
    gb_yaml_put(&out, "# Proposed for the pictures in ");
    gb_yaml_put_plain(&out, name, strlen(name));
    gb_yaml_put(&out, "; docs/formats.md says what each line does.\nname: ");
    bool usable = strcmp(name, ".") != 0 && strlen(name) < GB_STREAM_NAME_MAX;
    gb_yaml_put_text(&out, usable ? name : "pictures", strlen(usable ? name : "pictures"));
    gb_yaml_put(&out, "\nreader: images\n");
    put_files(&out, &here);
    put_labels(&out, folder, &here);
    gb_yaml_put(&out, "time: {period_s: 1} # pictures have no clock: the seconds between them\n");
    return gb_yaml_out_finish(&out, arena, out_yaml);
}

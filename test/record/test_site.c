/* The site: every combination of what a machine is and what a recording's labels say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "genba/store.h"

static char folder[64];

static const char *write_site(const char *text)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/site.yaml", folder);
    assert_int_equal(gb_file_replace(path, text, strlen(text)), GB_OK);
    return path;
}

static gb_site *site_of(const char *text)
{
    gb_site *site = NULL;
    if (!text) {
        setenv("GENBA_SITE", "", 1);
        assert_int_equal(gb_site_find(&site), GB_OK);
        return site;
    }
    setenv("GENBA_SITE", write_site(text), 1);
    gb_status status = gb_site_find(&site);
    if (status != GB_OK)
        fail_msg("%s", gb_error_message());
    return site;
}

static gb_status check(const char *text, const gb_recording_info *info, gb_use use)
{
    gb_site *site = site_of(text);
    gb_status status = gb_site_check(site, info, use);
    gb_site_destroy(site);
    return status;
}

/* ---- residency: rows are recordings, columns are sites ---- */

static void test_residency(void **state)
{
    (void)state;
    static const char *const sites[] = {
        NULL,
        "name: a\n",
        "name: a\nresidency: [JP]\n",
        "name: a\nresidency: [jp-23]\n",
        "name: a\nresidency: [DE, JP-13]\n",
        "name: a\nresidency: [J]\n",
    };
    static const struct {
        const char *residency;
        char allowed[sizeof sites / sizeof *sites + 1]; /* one letter a site: y or n */
    } rows[] = {
        {NULL, "yyyyyy"}, {"", "yyyyyy"},      {"  ", "yyyyyy"},      {"JP", "nnyyyn"},
        {"jp", "nnyyyn"}, {"JP-23", "nnnynn"}, {"JP-2", "nnnnnn"},    {"JP-23-1", "nnnnnn"},
        {"US", "nnnnnn"}, {"US,JP", "nnyyyn"}, {"US , DE", "nnnnyn"}, {"US,,JP-13,", "nnnnyn"},
        {",", "nnnnnn"},  {"J", "nnnnny"},     {"*", "nnnnnn"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (size_t s = 0; s < sizeof sites / sizeof *sites; s++)
            for (int use = GB_USE_INSPECT; use <= GB_USE_CONTROL; use++) {
                gb_recording_info info = {.name = "r", .residency = rows[r].residency};
                gb_status status = check(sites[s], &info, (gb_use)use);
                gb_status due = rows[r].allowed[s] == 'y' ? GB_OK : GB_ERR_REFUSED;
                if (status != due)
                    fail_msg("residency %s at site %zu: %s", rows[r].residency, s,
                             status ? gb_error_message() : "allowed");
            }
}

static void test_residency_message(void **state)
{
    (void)state;
    gb_recording_info info = {.name = "press/3", .residency = "JP", .owner = "acme"};
    assert_int_equal(check(NULL, &info, GB_USE_INSPECT), GB_ERR_REFUSED);
    assert_non_null(strstr(gb_error_message(), "press/3 must stay in JP"));
    assert_non_null(strstr(gb_error_message(), "this machine does not say where it is; set "
                                               "GENBA_SITE to a site file with residency: [JP]"));
    assert_int_equal(check("name: lyon\nresidency: [FR]\n", &info, GB_USE_INSPECT), GB_ERR_REFUSED);
    assert_non_null(strstr(gb_error_message(), "lyon, is in FR"));
    assert_non_null(strstr(gb_error_message(), "acme"));
}

/* ---- purposes: of the recording, of the machine ---- */

static void test_purpose(void **state)
{
    (void)state;
    /* allowed: inspect, train, export, control */
    static const struct {
        const char *site, *purpose, *allowed;
    } rows[] = {
        {NULL, NULL, "yyyy"},
        {NULL, "", "yyyy"},
        {NULL, "inspect", "ynnn"},
        {NULL, "train,inspect", "yynn"},
        {NULL, " Train , EXPORT", "nyyn"},
        {NULL, "control", "nnny"},
        {NULL, "training", "nnnn"},
        {NULL, "none", "nnnn"},
        {NULL, ",", "nnnn"},
        {"name: a\n", NULL, "yyyy"},
        {"name: a\npurposes: [inspect, train]\n", NULL, "yynn"},
        {"name: a\npurposes: [inspect, train]\n", "train, export", "nynn"},
        {"name: a\npurposes: [export]\n", "train", "nnnn"},
        {"name: a\npurposes: [inspect, train, export, control]\n", "", "yyyy"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (int use = GB_USE_INSPECT; use <= GB_USE_CONTROL; use++) {
            gb_recording_info info = {.name = "r", .purpose = rows[r].purpose};
            gb_status due = rows[r].allowed[use] == 'y' ? GB_OK : GB_ERR_REFUSED;
            assert_int_equal(check(rows[r].site, &info, (gb_use)use), due);
        }
    assert_string_equal(gb_use_name(GB_USE_INSPECT), "inspect");
    assert_string_equal(gb_use_name(GB_USE_CONTROL), "control");
    assert_string_equal(gb_use_name((gb_use)17), "?");
}

/* ---- owners and licences ---- */

static void test_owner_and_licence(void **state)
{
    (void)state;
    static const char acme[] = "name: a\nowners: [acme, Blue Steel Ltd]\n";
    static const char no_gpl[] = "name: a\nlicences_refused: [GPL-3.0-only, Some Data Licence]\n";
    static const struct {
        const char *site, *owner, *licence;
        gb_status due;
    } rows[] = {
        {NULL, NULL, NULL, GB_OK},
        {NULL, "anyone", "GPL-3.0-only", GB_OK},
        {acme, "acme", NULL, GB_OK},
        {acme, " ACME ", NULL, GB_OK},
        {acme, "blue steel ltd", "GPL-3.0-only", GB_OK},
        {acme, "acm", NULL, GB_ERR_REFUSED},
        {acme, "acme2", NULL, GB_ERR_REFUSED},
        {acme, "", NULL, GB_ERR_REFUSED},
        {acme, NULL, NULL, GB_ERR_REFUSED},
        {no_gpl, "acme", NULL, GB_OK},
        {no_gpl, NULL, "MIT", GB_OK},
        {no_gpl, NULL, "GPL-3.0-or-later", GB_OK},
        {no_gpl, NULL, "GPL-3.0-only", GB_ERR_REFUSED},
        {no_gpl, NULL, "gpl-3.0-ONLY", GB_ERR_REFUSED},
        {no_gpl, NULL, "(MIT OR GPL-3.0-only)", GB_ERR_REFUSED},
        {no_gpl, NULL, "some data licence", GB_ERR_REFUSED},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        gb_recording_info info = {.name = "r", .owner = rows[r].owner, .licence = rows[r].licence};
        assert_int_equal(check(rows[r].site, &info, GB_USE_TRAIN), rows[r].due);
    }
}

/* One label that forbids is enough, whichever it is. */
static void test_every_pair(void **state)
{
    (void)state;
    static const char site[] = "name: a\nresidency: [JP]\npurposes: [inspect, train]\n"
                               "owners: [acme]\nlicences_refused: [NC]\n";
    for (int wrong = 0; wrong < 32; wrong++) {
        gb_recording_info info = {
            .name = "r",
            .residency = wrong & 1 ? "US" : "JP",
            .purpose = wrong & 2 ? "inspect" : "train",
            .owner = wrong & 4 ? "other" : "acme",
            .licence = wrong & 8 ? "NC" : "MIT",
        };
        gb_use use = wrong & 16 ? GB_USE_EXPORT : GB_USE_TRAIN;
        assert_int_equal(check(site, &info, use), wrong ? GB_ERR_REFUSED : GB_OK);
    }
}

/* ---- the file ---- */

static void test_file(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        gb_status status;
        const char *message;
    } rows[] = {
        {"residency: [JP]\n", GB_ERR_SCHEMA, "name"},
        {"name: a\nresidences: [JP]\n", GB_ERR_SCHEMA, ":2:"},
        {"name: a\npurposes: [inspect, trian]\n", GB_ERR_SCHEMA, ":2:"},
        {"name: a\nresidency: []\n", GB_ERR_SCHEMA, ":2:"},
        {"name: a\nowners: []\n", GB_ERR_SCHEMA, ":2:"},
        {"name: a\n\nresidency: [JP, \"US, DE\"]\n", GB_ERR_SCHEMA, ":3:"},
        {"name: [\n", GB_ERR_PARSE, ""},
    };
    gb_site *site = NULL;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        assert_int_equal(gb_site_load(write_site(rows[r].text), &site), rows[r].status);
        if (!strstr(gb_error_message(), rows[r].message))
            fail_msg("\"%s\" has no %s", gb_error_message(), rows[r].message);
        assert_null(site);
    }
    assert_int_equal(gb_site_load(write_site("name: nagoya\n"), &site), GB_OK);
    assert_string_equal(gb_site_name(site), "nagoya");
    assert_non_null(strstr(gb_site_origin(site), "site.yaml"));
    gb_site_destroy(site);
    gb_site_destroy(NULL);
}

/* A site file that is named and cannot be read must not mean "everything is allowed". */
static void test_absent(void **state)
{
    (void)state;
    gb_site *site = NULL;
    setenv("GENBA_SITE", "/nonexistent/site.yaml", 1);
    assert_int_equal(gb_site_find(&site), GB_ERR_IO);
    assert_non_null(strstr(gb_error_message(), "GENBA_SITE"));
    assert_null(site);
    if (gb_file_exists("/etc/genba/site.yaml"))
        return;
    unsetenv("GENBA_SITE");
    assert_int_equal(gb_site_find(&site), GB_OK);
    assert_string_equal(gb_site_name(site), "");
    assert_string_equal(gb_site_origin(site), "");
    gb_site_destroy(site);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/genba_site_XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    unlink(write_site(""));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_residency),  cmocka_unit_test(test_residency_message),
        cmocka_unit_test(test_purpose),    cmocka_unit_test(test_owner_and_licence),
        cmocka_unit_test(test_every_pair), cmocka_unit_test(test_file),
        cmocka_unit_test(test_absent),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}

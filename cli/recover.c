/* genba recover: saves what is whole in a cut or damaged MCAP file. */
#include "cli.h"

#include "genba/mcap.h"

#include <limits.h>
#include <string.h>

static void name_output(const char *file, char *path, size_t size)
{
    size_t length = strlen(file);
    if (length > 5 && strcmp(file + length - 5, ".part") == 0) /* a black box that was cut */
        length -= 5;
    if (length > 5 && strncmp(file + length - 5, ".mcap", 5) == 0)
        length -= 5;
    snprintf(path, size, "%.*s.recovered.mcap", (int)length, file);
}

/* GB_ERR_CORRUPT: something is wrong with it; other failures mean that it cannot be looked at. */
static gb_status look(const char *file, gb_mcap_statistics *out)
{
    gb_bytes_in *in = NULL;
    gb_mcap_reader *reader = NULL;
    GB_TRY(gb_bytes_in_file(file, &in));
    GB_TRY(gb_mcap_reader_create(in, &reader));
    gb_status status = gb_mcap_verify(reader);
    if (status == GB_OK)
        status = gb_mcap_reader_statistics(reader, out);
    gb_mcap_reader_destroy(reader);
    return status;
}

static gb_status recover(const char *file, const char *path, gb_mcap_recovery *out)
{
    gb_bytes_in *in = NULL;
    gb_bytes_out *to = NULL;
    GB_TRY(gb_bytes_in_file(file, &in));
    gb_status status = gb_bytes_out_file(path, &to);
    if (status != GB_OK) {
        in->close(in);
        return status;
    }
    return gb_mcap_recover(in, to, out);
}

static void print_whole(const char *file, const gb_mcap_statistics *s, bool json)
{
    if (json)
        printf("{\"whole\": true, \"messages\": %llu, \"chunks\": %lu, \"attachments\": %lu, "
               "\"metadata\": %lu, \"written\": null}\n",
               (unsigned long long)s->message_count, (unsigned long)s->chunk_count,
               (unsigned long)s->attachment_count, (unsigned long)s->metadata_count);
    else
        printf("%s is whole: %llu messages, every checksum and index holds; nothing was written\n",
               file, (unsigned long long)s->message_count);
}

static void
print_recovered(const char *file, const char *path, const gb_mcap_recovery *r, bool json)
{
    if (json) {
        printf("{\"whole\": false, \"messages\": %llu, \"chunks\": %llu, \"attachments\": %llu, "
               "\"metadata\": %llu, \"chunks_damaged\": %llu, \"bytes_read\": %llu, "
               "\"bytes_whole\": %llu, \"written\": true}\n",
               (unsigned long long)r->messages, (unsigned long long)r->chunks,
               (unsigned long long)r->attachments, (unsigned long long)r->metadata,
               (unsigned long long)r->chunks_damaged, (unsigned long long)r->bytes_read,
               (unsigned long long)r->bytes_whole);
        return;
    }
    printf("saved     %llu messages, %llu attachments, %llu metadata records\n"
           "whole     %llu of %llu bytes, %llu chunks\n",
           (unsigned long long)r->messages, (unsigned long long)r->attachments,
           (unsigned long long)r->metadata, (unsigned long long)r->bytes_whole,
           (unsigned long long)r->bytes_read, (unsigned long long)r->chunks);
    if (r->chunks_damaged > 0)
        printf("damaged   %llu chunks: left out, or taken as far as they go at the end\n",
               (unsigned long long)r->chunks_damaged);
    printf("written   %s; %s was not changed\n", path, file);
}

static int run_recover(int argc, char **argv)
{
    const char *places[2] = {0};
    bool json = false;
    const option_spec options[] = {{"json", OPTION_FLAG, &json, 0, 0}};
    int code = options_parse(&command_recover, argc, argv, options, 1, places, 1, 2);
    if (code >= 0)
        return code;
    gb_mcap_statistics statistics;
    gb_status status = look(places[0], &statistics);
    if (status == GB_OK) {
        print_whole(places[0], &statistics, json);
        return EXIT_DONE;
    }
    if (status != GB_ERR_CORRUPT)
        return fail_with(status);
    /* The message ends with the advice to run what is running. */
    const char *advice = strstr(gb_error_message(), "; genba recover");
    int length = advice == NULL ? INT_MAX : (int)(advice - gb_error_message());
    fprintf(stderr, "genba: %.*s\n", length, gb_error_message());
    char named[4096];
    const char *path = places[1];
    if (path == NULL) {
        name_output(places[0], named, sizeof named);
        path = named;
    }
    if (gb_file_exists(path)) {
        fprintf(stderr, "genba recover: %s exists already; move it away or name another file\n",
                path);
        return EXIT_INPUT;
    }
    gb_mcap_recovery recovery;
    status = recover(places[0], path, &recovery);
    if (status != GB_OK)
        return fail_with(status);
    print_recovered(places[0], path, &recovery, json);
    return EXIT_DONE;
}

const cli_command command_recover = {
    "recover",
    "save what is whole in a cut or damaged recording (MCAP)",
    "usage: genba recover FILE [OUT] [--json]\n"
    "\n"
    "Checks every checksum, index and count of an MCAP file. When something is wrong, all that is\n"
    "whole is copied to OUT (default: FILE with .recovered.mcap), which must not exist yet; FILE "
    "is\n"
    "never changed.\n"
    "\n"
    "  --json    figures as one line of JSON\n"
    "\n"
    "exit codes: 0 whole or recovered, 3 there was nothing to save\n"
    "\n"
    "example: genba recover night.mcap\n",
    run_recover,
};

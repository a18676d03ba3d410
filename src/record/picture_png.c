/* PNG in memory through libpng. Its errors are longjmps: every function that calls it sets its own
 * target and keeps what it needs afterwards in a struct outside the jump. */
#include "record/picture_png.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIDE_MAX = 1 << 20,         /* pixels of a side */
    CHUNK_BYTES_MAX = 16 << 20, /* of texts and profiles, which are not used */
    CHUNKS_MAX = 1000,          /* of texts and profiles */
    MESSAGE_BYTES = 160,
    SIGNATURE_BYTES = 8
};

typedef struct png_job {
    png_structp png;
    png_infop info;
    const unsigned char *data; /* being read */
    size_t size, at;
    unsigned char *written; /* being written */
    size_t written_size, room;
    png_bytep *rows;
    bool no_memory;
    char message[MESSAGE_BYTES];
} png_job;

static void on_error(png_structp png, png_const_charp message)
{
    png_job *job = png_get_error_ptr(png);
    snprintf(job->message, sizeof job->message, "%s", message);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void take(png_structp png, png_bytep to, size_t count)
{
    png_job *job = png_get_io_ptr(png);
    if (count > job->size - job->at)
        png_error(png, "the file ends early");
    memcpy(to, job->data + job->at, count);
    job->at += count;
}

bool gb_picture_is_png(const void *data, size_t size)
{
    return size >= SIGNATURE_BYTES && memcmp(data, "\x89PNG\r\n\x1a\n", SIGNATURE_BYTES) == 0;
}

static gb_status open_job(png_job *job, const void *data, size_t size)
{
    memset(job, 0, sizeof *job);
    job->data = data;
    job->size = size;
    job->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, job, on_error, on_warning);
    job->info = job->png ? png_create_info_struct(job->png) : NULL;
    if (job->info)
        return GB_OK;
    png_destroy_read_struct(&job->png, NULL, NULL);
    return gb_fail(GB_ERR_MEMORY, "no memory for a PNG decoder");
}

static void close_job(png_job *job)
{
    png_destroy_read_struct(&job->png, &job->info, NULL);
    free(job->rows);
}

/* Between setjmp and close_job; jumps on failure. */
static void read_header(png_job *job, gb_picture_about *about)
{
    png_set_read_fn(job->png, job, take);
    png_set_user_limits(job->png, SIDE_MAX, SIDE_MAX);
    png_set_chunk_malloc_max(job->png, CHUNK_BYTES_MAX);
    png_set_chunk_cache_max(job->png, CHUNKS_MAX);
    png_set_crc_action(job->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_read_info(job->png, job->info);
    int colour = png_get_color_type(job->png, job->info);
    bool grey = colour == PNG_COLOR_TYPE_GRAY || colour == PNG_COLOR_TYPE_GRAY_ALPHA;
    *about = (gb_picture_about){.kind = GB_PICTURE_PNG,
                                .width = png_get_image_width(job->png, job->info),
                                .height = png_get_image_height(job->png, job->info),
                                .channels = grey ? 1 : 3,
                                .bits = png_get_bit_depth(job->png, job->info) == 16 ? 16 : 8};
}

gb_status gb_picture_probe_png(const void *data, size_t size, gb_picture_about *out)
{
    png_job job;
    GB_TRY(open_job(&job, data, size));
    gb_status status = GB_OK;
    if (setjmp(png_jmpbuf(job.png)) == 0)
        read_header(&job, out);
    else
        status = gb_fail(GB_ERR_PARSE, "no sound PNG header: %s", job.message);
    close_job(&job);
    return status;
}

/* To 8 bits of grey or RGB. */
static void ask_for_bytes(png_job *job)
{
    int colour = png_get_color_type(job->png, job->info);
    png_set_scale_16(job->png);
    png_set_packing(job->png);
    if (colour == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(job->png);
    else if (colour == PNG_COLOR_TYPE_GRAY)
        png_set_expand_gray_1_2_4_to_8(job->png);
    png_set_strip_alpha(job->png);
    png_set_interlace_handling(job->png);
    png_read_update_info(job->png, job->info);
}

static void read_pixels(png_job *job, const gb_picture_about *about, unsigned char *pixels)
{
    size_t row_bytes = (size_t)about->width * (size_t)about->channels;
    ask_for_bytes(job);
    if (png_get_rowbytes(job->png, job->info) != row_bytes)
        png_error(job->png, "rows of an unexpected size");
    job->rows = malloc((size_t)about->height * sizeof *job->rows);
    if (!job->rows) {
        job->no_memory = true;
        png_error(job->png, "no memory for its rows");
    }
    for (int64_t y = 0; y < about->height; y++)
        job->rows[y] = pixels + (size_t)y * row_bytes;
    png_read_image(job->png, job->rows);
    png_read_end(job->png, NULL);
}

gb_status gb_picture_decode_png(const void *data,
                                size_t size,
                                const gb_picture_about *about,
                                unsigned char *pixels)
{
    png_job job;
    gb_picture_about again;
    GB_TRY(open_job(&job, data, size));
    gb_status status = GB_OK;
    if (setjmp(png_jmpbuf(job.png)) == 0) {
        read_header(&job, &again);
        read_pixels(&job, about, pixels);
    } else {
        status = gb_fail(job.no_memory ? GB_ERR_MEMORY : GB_ERR_CORRUPT,
                         "a PNG of %lld x %lld pixels is cut or damaged: %s",
                         (long long)about->width, (long long)about->height, job.message);
    }
    close_job(&job);
    return status;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

static void give(png_structp png, png_bytep from, size_t count)
{
    png_job *job = png_get_io_ptr(png);
    if (count > job->room - job->written_size) {
        size_t room = 2 * job->room + count;
        unsigned char *grown = realloc(job->written, room);
        if (!grown)
            png_error(png, "no memory for what is written");
        job->written = grown;
        job->room = room;
    }
    memcpy(job->written + job->written_size, from, count);
    job->written_size += count;
}

static void give_nothing_more(png_structp png)
{
    (void)png;
}

static void write_pixels(png_job *job, const gb_picture *picture)
{
    size_t row_bytes = (size_t)picture->width * (size_t)picture->channels;
    int colour = picture->channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB;
    png_set_write_fn(job->png, job, give, give_nothing_more);
    png_set_user_limits(job->png, SIDE_MAX, SIDE_MAX);
    png_set_IHDR(job->png, job->info, (png_uint_32)picture->width, (png_uint_32)picture->height, 8,
                 colour, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(job->png, job->info);
    for (int64_t y = 0; y < picture->height; y++)
        png_write_row(job->png, picture->pixels + (size_t)y * row_bytes);
    png_write_end(job->png, job->info);
}

gb_status
gb_picture_encode_png(const gb_picture *picture, unsigned char **out_data, size_t *out_size)
{
    if (picture->width < 1 || picture->width > SIDE_MAX || picture->height < 1 ||
        picture->height > SIDE_MAX || (picture->channels != 1 && picture->channels != 3))
        return gb_fail(GB_ERR_ARGUMENT,
                       "a picture of %lld x %lld pixels with %d channels; expected sides of 1 to "
                       "%d and 1 or 3 channels",
                       (long long)picture->width, (long long)picture->height, picture->channels,
                       SIDE_MAX);
    png_job job;
    memset(&job, 0, sizeof job);
    job.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    gb_status status = GB_OK;
    if (!job.info)
        status = gb_fail(GB_ERR_MEMORY, "no memory for a PNG encoder");
    else if (setjmp(png_jmpbuf(job.png)) == 0)
        write_pixels(&job, picture);
    else
        status = gb_fail(GB_ERR_MEMORY, "a picture cannot be written as PNG: %s", job.message);
    png_destroy_write_struct(&job.png, &job.info);
    if (status != GB_OK) {
        free(job.written);
        return status;
    }
    *out_data = job.written;
    *out_size = job.written_size;
    return GB_OK;
}

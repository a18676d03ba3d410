/* genba/base.h: what every room stands on: status codes, arenas, threads, random numbers, files,
 * CPU features and the log. Floor 0: includes nothing of genba.
 *
 * Thread-safety is said for each group. Nothing here prints, exits or aborts. */
#ifndef GENBA_BASE_H
#define GENBA_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GB_API __attribute__((visibility("default")))
#define GB_MUST __attribute__((warn_unused_result))
#define GB_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

/* ---- status --------------------------------------------------------------------------------
 * Every function that can fail returns gb_status and leaves its outputs untouched on failure.
 * The message (what, where, what was expected, what to do) belongs to the calling thread and
 * lives until the next failure on that thread. */
#define GB_STATUS_LIST(X)                                                                          \
    X(GB_OK, 0, "success")                                                                         \
    X(GB_ERR_ARGUMENT, 1, "an argument is out of its documented range")                            \
    X(GB_ERR_MEMORY, 2, "not enough memory")                                                       \
    X(GB_ERR_IO, 3, "a file could not be read or written")                                         \
    X(GB_ERR_PARSE, 4, "a file is not in the format it should be")                                 \
    X(GB_ERR_SCHEMA, 5, "a value is missing, unknown, or out of its range")                        \
    X(GB_ERR_SHAPE, 6, "shapes do not fit together")                                               \
    X(GB_ERR_CORRUPT, 7, "a checksum does not match: the file was cut or edited")                  \
    X(GB_ERR_MISMATCH, 8, "a file belongs to another model, recipe or version")                    \
    X(GB_ERR_UNSUPPORTED, 9, "this build or this machine lacks a feature")                         \
    X(GB_ERR_NOT_FOUND, 10, "no such name")                                                        \
    X(GB_ERR_INTERRUPTED, 11, "stopped on request; what was done is saved")                        \
    X(GB_ERR_NUMERIC, 12, "a number is not finite or a system has no solution")                    \
    X(GB_ERR_REFUSED, 13, "a label or a policy of this site forbids it")

typedef enum gb_status {
#define GB_STATUS_ENUM(name, code, text) name = code,
    GB_STATUS_LIST(GB_STATUS_ENUM)
#undef GB_STATUS_ENUM
} gb_status;

/* The fixed text of a code, as in the table above; never NULL. */
GB_API const char *gb_status_text(gb_status status);
/* The name of a code ("GB_ERR_PARSE"); never NULL. */
GB_API const char *gb_status_name(gb_status status);
/* The message of the calling thread's last failure, "" if there was none. */
GB_API const char *gb_error_message(void);
/* Records a message for this thread and returns `status`. At most 2 KiB are kept. */
GB_API gb_status gb_fail(gb_status status, const char *format, ...) GB_PRINTF(2, 3);
/* Puts "context: " before the message of the failure being forwarded and returns `status`. */
GB_API gb_status gb_fail_context(gb_status status, const char *format, ...) GB_PRINTF(2, 3);

#define GB_TRY(call)                                                                               \
    do {                                                                                           \
        gb_status gb_try_status_ = (call);                                                         \
        if (gb_try_status_ != GB_OK)                                                               \
            return gb_try_status_;                                                                 \
    } while (0)
/* As GB_TRY, for functions that clean up at a label. Needs a local `gb_status status`. */
#define GB_TRY_OR(label, call)                                                                     \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != GB_OK)                                                                       \
            goto label;                                                                            \
    } while (0)

/* ---- memory --------------------------------------------------------------------------------
 * An arena hands out zeroed memory that is freed all at once. One thread at a time. */
typedef struct gb_arena gb_arena;

/* limit_bytes: the most the arena may hold in all; 0 means no limit. */
GB_API GB_MUST gb_status gb_arena_create(size_t limit_bytes, gb_arena **out);
GB_API void gb_arena_destroy(gb_arena *arena); /* NULL is fine */
/* Zeroed, aligned to 64 bytes; NULL when the limit or the machine's memory is reached (a message
 * is recorded). bytes 0 gives a valid pointer. */
GB_API void *gb_arena_alloc(gb_arena *arena, size_t bytes);
GB_API char *gb_arena_text(gb_arena *arena, const char *text); /* a copy */
GB_API char *gb_arena_format(gb_arena *arena, const char *format, ...) GB_PRINTF(2, 3);
GB_API size_t gb_arena_used_bytes(const gb_arena *arena);
/* Forgets all that was handed out and keeps the memory. */
GB_API void gb_arena_reset(gb_arena *arena);

/* Zeroed memory aligned to 64 bytes (2 MiB with a huge-page hint from 4 MiB on); free with
 * gb_aligned_free. NULL and a message when there is not enough. */
GB_API void *gb_aligned_alloc(size_t bytes);
GB_API void gb_aligned_free(void *memory);
/* Bytes of memory that a new allocation could use now (MemAvailable, cgroup limit). */
GB_API uint64_t gb_memory_available_bytes(void);

/* ---- threads -------------------------------------------------------------------------------
 * A pool runs `parts` calls of one function. How the work is cut into parts must depend on shapes
 * only, never on the number of threads: then results do not either. Workers are pinned to cores,
 * spin briefly for the next job and then park. One caller at a time; the caller works as thread 0.
 */
typedef struct gb_pool gb_pool;
typedef void (*gb_part_fn)(void *context, int64_t part, int thread);

/* threads: 1..256, 0 = one for each core this process may use. */
GB_API GB_MUST gb_status gb_pool_create(int threads, gb_pool **out);
GB_API void gb_pool_destroy(gb_pool *pool);
GB_API int gb_pool_threads(const gb_pool *pool);
/* Calls fn(context, part, thread) once for each part in [0, parts), returns when all are done.
 * Allocates nothing. A pool of NULL runs all parts on the caller. */
GB_API void gb_pool_run(gb_pool *pool, gb_part_fn fn, void *context, int64_t parts);

/* ---- random numbers ------------------------------------------------------------------------
 * Counter-based (Philox4x32-10; Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"):
 * number `index` of `stream` under `seed` is a pure function, so order and threads do not matter.
 */
GB_API uint32_t gb_random_u32(uint64_t seed, uint64_t stream, uint64_t index);
GB_API uint64_t gb_random_u64(uint64_t seed, uint64_t stream, uint64_t index);
/* Uniform in [0, 1), 24 bits. */
GB_API float gb_random_uniform(uint64_t seed, uint64_t stream, uint64_t index);
/* Standard normal (Box-Muller). */
GB_API float gb_random_normal(uint64_t seed, uint64_t stream, uint64_t index);
/* Uniform integer in [0, bound), without bias worth measuring (64-bit multiply); bound >= 1. */
GB_API uint64_t gb_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t bound);
/* values[i] = number first + i of the stream. */
GB_API void
gb_random_fill_normal(uint64_t seed, uint64_t stream, uint64_t first, float *values, size_t count);
GB_API void
gb_random_fill_uniform(uint64_t seed, uint64_t stream, uint64_t first, float *values, size_t count);

/* ---- files ---------------------------------------------------------------------------------- */
typedef struct gb_file_view {
    const unsigned char *data; /* [size], read-only; NULL when the file is empty */
    size_t size;
} gb_file_view;

/* Maps a whole file for reading. Valid until gb_file_unmap. */
GB_API GB_MUST gb_status gb_file_map(const char *path, gb_file_view *out);
GB_API void gb_file_unmap(gb_file_view *view); /* NULL or an unmapped view is fine */
/* Reads a whole file into the arena with a 0 after the last byte. limit_bytes 0 = no limit. */
GB_API GB_MUST gb_status gb_file_read(
    const char *path, size_t limit_bytes, gb_arena *arena, char **out_text, size_t *out_size);
/* Writes a file whole or not at all: temporary file beside it, fsync, rename, fsync of the folder.
 */
GB_API GB_MUST gb_status gb_file_replace(const char *path, const void *data, size_t size);
/* The same in pieces: begin, write as often as needed, then commit; abandon drops it. */
typedef struct gb_file_writer gb_file_writer;
GB_API GB_MUST gb_status gb_file_writer_begin(const char *path, gb_file_writer **out);
GB_API GB_MUST gb_status gb_file_writer_write(gb_file_writer *writer,
                                              const void *data,
                                              size_t size);
GB_API GB_MUST gb_status gb_file_writer_printf(gb_file_writer *writer, const char *format, ...)
    GB_PRINTF(2, 3);
GB_API GB_MUST gb_status gb_file_writer_commit(gb_file_writer *writer); /* frees it either way */
GB_API void gb_file_writer_abandon(gb_file_writer *writer);             /* NULL is fine */
/* Creates a folder and its parents; fine when it is there. */
GB_API GB_MUST gb_status gb_folder_create(const char *path);
/* The topmost folder that gb_folder_create would make for `path`, "" when all of it is there: where
 * only a is there, a/b of a/b/c. For those who may have to take it back. GB_ERR_ARGUMENT: longer
 * than size. */
GB_API GB_MUST gb_status gb_folder_missing(const char *path, char *out, size_t size);
GB_API bool gb_file_exists(const char *path);

#define GB_HASH_BYTES 32
/* BLAKE2b-256 (libsodium) of memory, and its lower-case hexadecimal text. */
GB_API void gb_hash(const void *data, size_t size, unsigned char out[GB_HASH_BYTES]);
GB_API void gb_hash_hex(const unsigned char hash[GB_HASH_BYTES], char out[2 * GB_HASH_BYTES + 1]);
GB_API GB_MUST gb_status gb_hash_file(const char *path, unsigned char out[GB_HASH_BYTES]);

/* ---- clock ----------------------------------------------------------------------------------- */
GB_API int64_t gb_clock_monotonic_ns(void);
GB_API int64_t gb_clock_wall_ns(void); /* since 1970-01-01 UTC */

/* ---- CPU ------------------------------------------------------------------------------------ */
typedef enum gb_isa {
    GB_ISA_REF,
    GB_ISA_AVX2,
    GB_ISA_AVX512,
    GB_ISA_AMX,
    GB_ISA_COUNT
} gb_isa;

typedef struct gb_cpu {
    char model[64];
    int cores; /* that this process may use */
    bool avx2, avx512, avx512_bf16, amx;
    bool carry_less;  /* PCLMULQDQ and SSE4.1: fast CRCs */
    gb_isa best;      /* the highest level this machine runs and was built in */
    gb_isa used;      /* best, or lower when GENBA_ISA=ref|avx2|avx512|amx asks for it */
    const char *note; /* "" or why `used` is lower than asked */
} gb_cpu;

/* Found once, at the first call; asks the kernel for AMX permission when the CPU has it. Call it
 * before creating threads. Thread-safe. */
GB_API const gb_cpu *gb_cpu_get(void);
GB_API const char *gb_isa_name(gb_isa isa);

/* ---- log ------------------------------------------------------------------------------------
 * The library never prints: it hands lines to a sink, which is unset until a program sets one. */
typedef enum gb_log_level {
    GB_LOG_DEBUG,
    GB_LOG_INFO,
    GB_LOG_WARN
} gb_log_level;
typedef void (*gb_log_sink)(void *context, gb_log_level level, const char *line);
GB_API void gb_log_set_sink(gb_log_sink sink, void *context); /* before other threads start */
GB_API void gb_log(gb_log_level level, const char *format, ...) GB_PRINTF(2, 3);

GB_API const char *gb_version(void); /* "0.1.0" */

#ifdef __cplusplus
}
#endif
#endif

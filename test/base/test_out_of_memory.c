/* The n-th allocation fails, for every n: each call says GB_ERR_MEMORY, keeps its output untouched
 * and leaks nothing. The C library's malloc is replaced here, so sanitizers, which replace it too,
 * skip this. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/yaml.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GB_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GB_SANITIZED 1
#endif
#endif

#ifdef GB_SANITIZED
int main(void)
{
    return 0;
}
#else

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

static _Thread_local long failing_in = -1; /* -1: none fails */
static _Thread_local long live;            /* allocations less frees while counting */
static _Thread_local bool counting;

static bool fails(void)
{
    if (!counting)
        return false;
    if (failing_in == 0) {
        errno = ENOMEM;
        return true;
    }
    failing_in--;
    return false;
}

static void *counted(void *memory)
{
    live += counting && memory != NULL;
    return memory;
}

GB_API void *malloc(size_t size)
{
    return fails() ? NULL : counted(__libc_malloc(size));
}

GB_API void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : counted(__libc_calloc(count, size));
}

GB_API void *aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : counted(__libc_memalign(alignment, size));
}

GB_API void *realloc(void *memory, size_t size)
{
    if (fails())
        return NULL;
    live += counting && memory == NULL;
    live -= counting && memory != NULL && size == 0;
    return __libc_realloc(memory, size);
}

GB_API void free(void *memory)
{
    live -= counting && memory != NULL;
    __libc_free(memory);
}

static char path[] = "/tmp/genba_memory_XXXXXX";

static gb_status use_arena(void)
{
    gb_arena *arena = NULL;
    GB_TRY(gb_arena_create(0, &arena));
    gb_status status = GB_OK;
    for (size_t size = 10; status == GB_OK && size < 100000; size *= 3)
        if (gb_arena_alloc(arena, size) == NULL || gb_arena_format(arena, "%zu", size) == NULL)
            status = GB_ERR_MEMORY;
    gb_arena_destroy(arena);
    return status;
}

static gb_status use_pool(void)
{
    gb_pool *pool = NULL;
    GB_TRY(gb_pool_create(1, &pool));
    gb_pool_destroy(pool);
    return GB_OK;
}

static gb_status use_writer(void)
{
    return gb_file_replace(path, "{\"a\": [1, \"two\"]}", 17);
}

static gb_status use_json(void)
{
    json_t *document = NULL;
    gb_status status = gb_json_open(path, 0, &document);
    json_decref(document);
    /* jansson takes a text it has no memory for as one that is not there. */
    return status == GB_ERR_PARSE ? GB_ERR_MEMORY : status;
}

typedef struct settings {
    char *name;
    int *sizes;
    uint32_t sizes_count;
} settings;

static const cyaml_schema_value_t int_schema = {CYAML_VALUE_INT(CYAML_FLAG_DEFAULT, int)};
static const cyaml_schema_field_t settings_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, settings, name, 0, 100),
    CYAML_FIELD_SEQUENCE("sizes", CYAML_FLAG_POINTER, settings, sizes, &int_schema, 0, 10),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t settings_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, settings, settings_fields)};

static gb_status use_yaml(void)
{
    static const char text[] = "# all\nname: 'some text'\nsizes: [1, 2, 3]\n";
    void *value = NULL;
    gb_status status = gb_yaml_load_text("s.yaml", text, sizeof text - 1, &settings_schema, &value);
    if (status != GB_OK && value != NULL)
        return GB_ERR_ARGUMENT;
    gb_yaml_free(&settings_schema, value);
    return status;
}

static void fail_each(gb_status (*use)(void))
{
    assert_int_equal(use(), GB_OK); /* what is kept for later, once, is allocated here */
    gb_status status = GB_ERR_MEMORY;
    int n = 0;
    for (; status != GB_OK && n < 2000; n++) {
        failing_in = n;
        live = 0;
        counting = true;
        status = use();
        counting = false;
        if (status != GB_OK && status != GB_ERR_MEMORY)
            fail_msg("allocation %d: %s: %s", n, gb_status_name(status), gb_error_message());
        if (live != 0)
            fail_msg("allocation %d: %ld blocks leak", n, live);
    }
    assert_in_range(n, 2, 1999);
}

static void every_failing_allocation_is_survived(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    fail_each(use_arena);
    fail_each(use_pool);
    fail_each(use_writer);
    fail_each(use_json);
    fail_each(use_yaml);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_failing_allocation_is_survived)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif

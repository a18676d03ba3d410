/* Wherever memory ends while an envelope is read, the answer is GB_ERR_MEMORY. The file grows by a
 * comment, so that the block of memory that is refused is asked for by each part in turn. */
#include "control/envelope_machine.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GB_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define GB_SANITIZED 1
#endif
#endif

#ifdef GB_SANITIZED /* they have an aligned_alloc of their own */
int main(void)
{
    return 0;
}
#else

extern void *__libc_memalign(size_t alignment, size_t size);
static int failing_in = -1; /* the block that is refused; below 0: none */

GB_API void *aligned_alloc(size_t alignment, size_t size)
{
    return failing_in-- == 0 ? NULL : __libc_memalign(alignment, size);
}

#define ALL                                                                                        \
    HEAD ARM "    backup: {kind: retreat, to: [0, 0]}\n" BASE GRIP                                 \
             "sensors:\n  - {stream: arm.position, unit: rad, max_age_ms: 50, low: [-9], high: "   \
             "[9], max_step: [9], max_force: [9]}\n"                                               \
             "  - {stream: arm.angle, unit: rad, max_age_ms: 50}\n"                                \
             "people: {distance: arm.angle, unit: rad, separation: 0.4, person_speed: 1.6, "       \
             "reaction_ms: 300, braking: 1.8, speed_of: base.speed, per_unit: [1]}\n"

static void no_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    static char text[40000];
    int refused = 0;
    for (size_t more = 0; more < 16 << 10; more += 64) {
        size_t used = (size_t)snprintf(text, sizeof text, "%s#", ALL);
        memset(text + used, '.', more);
        text[used + more] = '\n';
        text[used + more + 1] = '\0';
        gb_status status = GB_ERR_MEMORY;
        for (int n = 0; status != GB_OK; n++) {
            gb_envelope *envelope = NULL;
            failing_in = n;
            status = load_text(text, &envelope);
            bool none_failed = failing_in >= 0;
            failing_in = -1;
            if (status == GB_OK) {
                assert_true(none_failed);
                gb_envelope_destroy(envelope);
                break;
            }
            refused++;
            assert_int_equal(status, GB_ERR_MEMORY);
            assert_null(envelope);
        }
    }
    assert_true(refused >= 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_memory_is_an_error_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif

#include "eval/suite.h"
static gb_status run(gb_suite_run_state *state)
{
    (void)state;
    return GB_OK;
}
const gb_suite gb_suite_cmapss = {.info = {"cmapss", "a", "cmapss", "perfect mean linear", "b"},
                                  .run = run};

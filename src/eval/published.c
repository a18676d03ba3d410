/* eval/published.c: figures that others published, each with where it was printed. Nothing here was
 * measured by genba; what was is printed by the suites. */
#include "eval/published.h"

#include <math.h>

#define NONE NAN
#define FOUR(a, b, c, d)                                                                           \
    {                                                                                              \
        a, b, c, d, NONE, NONE, NONE, NONE                                                         \
    }
#define PATCHTST "Nie et al. 2023, PatchTST/64 or /42, better of the two per set"
#define DLINEAR "Zeng et al. 2023, DLinear"
#define FITS "Xu et al. 2024, FITS, corrected figures"
#define TIMEMOE "Shi et al. 2025, Time-MoE-50M, zero shot: not trained on this set"
#define DIFFUSION                                                                                  \
    "Chi et al. 2023, state observations, best checkpoint; trained on 90 demonstrations"
#define CAPPED "as printed by its authors, labels capped"
#define SKAB "SKAB leaderboard, outlier detection"

const gb_published_row gb_published_rows[] = {
    /* MSE at 96, 192, 336, 720 */
    {"ETTh1", "PatchTST", PATCHTST, FOUR(.370, .413, .422, .447)},
    {"ETTh1", "DLinear", DLINEAR, FOUR(.375, .405, .439, .472)},
    {"ETTh1", "FITS", FITS, FOUR(.373, .407, .429, .428)},
    {"ETTh1", "Time-MoE-50M", TIMEMOE, FOUR(.357, .385, .412, .449)},
    {"ETTh2", "PatchTST", PATCHTST, FOUR(.274, .341, .329, .379)},
    {"ETTh2", "DLinear", DLINEAR, FOUR(.289, .383, .448, .605)},
    {"ETTm1", "PatchTST", PATCHTST, FOUR(.293, .333, .369, .416)},
    {"ETTm1", "DLinear", DLINEAR, FOUR(.299, .335, .369, .425)},
    {"ETTm2", "PatchTST", PATCHTST, FOUR(.166, .223, .274, .362)},
    {"ETTm2", "DLinear", DLINEAR, FOUR(.167, .224, .281, .397)},
    /* F1, false-alarm rate, missed-alarm rate */
    {"skab", "Conv-AE", SKAB, FOUR(.78, 13.55, 28.02, NONE)},
    {"skab", "T-squared + Q", SKAB, FOUR(.76, 26.62, 24.92, NONE)},
    {"skab", "LSTM-AE", SKAB, FOUR(.74, 29.96, 25.92, NONE)},
    {"skab", "T-squared", SKAB, FOUR(.66, 19.21, 42.6, NONE)},
    /* RMSE against capped labels, RMSE against raw labels, score. Papers print one RMSE, against
     * labels that most of them cap. */
    {"cmapss", "MTSTAN", CAPPED, FOUR(10.97, NONE, 175, NONE)},
    {"cmapss", "FFVE", CAPPED, FOUR(12.31, NONE, 280, NONE)},
    {"cmapss", "AGCNN", CAPPED, FOUR(12.42, NONE, NONE, NONE)},
    {"cmapss", "Deep LSTM", CAPPED, FOUR(16.14, NONE, NONE, NONE)},
    /* mean maximum reward, success % (coverage > .95), the same two when an episode may end at
     * coverage .9025, decision time p50 in ms */
    {"pusht", "Diffusion policy (CNN)", DIFFUSION, FOUR(.95, NONE, NONE, NONE)},
    {"pusht", "Diffusion policy (Transformer)", DIFFUSION, FOUR(.95, NONE, NONE, NONE)},
    {"pusht", "IBC", DIFFUSION, FOUR(.90, NONE, NONE, NONE)},
    {"pusht", "BET", DIFFUSION, FOUR(.79, NONE, NONE, NONE)},
    {"pusht", "LSTM-GMM", DIFFUSION, FOUR(.67, NONE, NONE, NONE)},
    {"pusht", "LeRobot diffusion policy",
     "LeRobot model card: images, 500 episodes, about 7 h of training on an RTX 3090",
     FOUR(.957, 64, NONE, NONE)},
    {"pusht",
     "Diffusion, 100 steps",
     "GPI 2026, hardware not given: time of one decision",
     {NONE, NONE, NONE, NONE, 641, NONE, NONE, NONE}},
    {"pusht",
     "Flow matching",
     "GPI 2026, hardware not given: time of one decision",
     {NONE, NONE, NONE, NONE, 58, NONE, NONE, NONE}},
    {"pusht",
     "Nearest demonstration",
     "GPI 2026: mean score; time of one decision",
     {.858, NONE, NONE, NONE, .6, NONE, NONE, NONE}},
};
const int gb_published_row_count = (int)(sizeof gb_published_rows / sizeof *gb_published_rows);

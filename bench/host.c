/* Time that the host of a virtual machine keeps for others. */
#include "host.h"

#include <stdio.h>
#include <unistd.h>

double host_stolen_s(void)
{
    unsigned long long steal = 0;
    FILE *file = fopen("/proc/stat", "r");
    if (!file)
        return 0;
    if (fscanf(file, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &steal) != 1)
        steal = 0;
    fclose(file);
    return (double)steal / (double)sysconf(_SC_CLK_TCK);
}

#include <stdio.h>
#include <stdlib.h>

/* Integrate counts over time by a trapezoid, with a jitter of the times by a generator of its own. */
static unsigned long long state;

static double uniform(void) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (double)(state >> 11) / 9007199254740992.0;
}

int main(int argc, char **argv) {
    double t, counts, before = 0, last = 0, area = 0;
    char line[256];
    int n = 0;
    state = (unsigned long long)atoi(argv[1]);
    if (!fgets(line, sizeof line, stdin)) return 1;
    while (scanf("%lf,%lf", &t, &counts) == 2) {
        t += 0.01 * uniform();
        if (n++) area += 0.5 * (counts + last) * (t - before);
        before = t;
        last = counts;
    }
    printf("samples: %d\narea: %.9f\n", n, area);
    return 0;
}

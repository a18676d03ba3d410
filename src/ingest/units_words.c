/* What people write for units, and what it means: spellings to UCUM codes, characters to plain
 * letters. Tables only; a new spelling is one row here. */
#include "ingest/units_tables.h"

/* A row comes before UCUM's own reading when the whole text is the row's (so a note says which of
 * two meanings was taken); inside a compound ("rpm/s") UCUM is asked first. */
const gb_unit_spelling gb_unit_spellings[] = {
    /* temperature */
    {"degC", "Cel", NULL},
    {"deg.C", "Cel", NULL},
    {"deg_C", "Cel", NULL},
    {"degreeC", "Cel", NULL},
    {"celsius", "Cel", NULL},
    {"degF", "[degF]", NULL},
    {"deg.F", "[degF]", NULL},
    {"deg_F", "[degF]", NULL},
    {"fahrenheit", "[degF]", NULL},
    {"degK", "K", NULL},
    {"kelvin", "K", NULL},
    {"C", "C", "read as coulomb; degrees Celsius are degC or Cel"},
    {"F", "F", "read as farad; degrees Fahrenheit are degF"},
    /* pressure; {gauge} is above the air around, and never converts to absolute by itself */
    {"kg/cm2", "kgf/cm2", "read as kilogram-force per square centimetre, a pressure"},
    {"kg/mm2", "kgf/mm2", "read as kilogram-force per square millimetre, a pressure"},
    {"kg/cm2G", "kgf/cm2{gauge}", NULL},
    {"kgf/cm2G", "kgf/cm2{gauge}", NULL},
    {"kg/cm2.G", "kgf/cm2{gauge}", NULL},
    {"kgf/cm2.G", "kgf/cm2{gauge}", NULL},
    {"kg/cm2(G)", "kgf/cm2{gauge}", NULL},
    {"kgf/cm2(G)", "kgf/cm2{gauge}", NULL},
    {"kg/cm2A", "kgf/cm2", NULL},
    {"kgf/cm2A", "kgf/cm2", NULL},
    {"Pa", "Pa", NULL},
    {"kPa", "kPa", NULL},
    {"MPa", "MPa", NULL},
    {"hPa", "hPa", NULL},
    {"bar", "bar", NULL},
    {"mbar", "mbar", NULL},
    {"PaG", "Pa{gauge}", NULL},
    {"kPaG", "kPa{gauge}", NULL},
    {"MPaG", "MPa{gauge}", NULL},
    {"kPa.G", "kPa{gauge}", NULL},
    {"MPa.G", "MPa{gauge}", NULL},
    {"kPa(G)", "kPa{gauge}", NULL},
    {"MPa(G)", "MPa{gauge}", NULL},
    {"kPa.gauge", "kPa{gauge}", NULL},
    {"MPa.gauge", "MPa{gauge}", NULL},
    {"barG", "bar{gauge}", NULL},
    {"bar(G)", "bar{gauge}", NULL},
    {"mbarG", "mbar{gauge}", NULL},
    {"psig", "[psi]{gauge}", NULL},
    {"PaA", "Pa", NULL},
    {"kPaA", "kPa", NULL},
    {"MPaA", "MPa", NULL},
    {"kPa.abs", "kPa", NULL},
    {"MPa.abs", "MPa", NULL},
    {"kPa(abs)", "kPa", NULL},
    {"MPa(abs)", "MPa", NULL},
    {"kPaabs", "kPa", NULL},
    {"MPaabs", "MPa", NULL},
    {"barA", "bar", NULL},
    {"bar(A)", "bar", NULL},
    {"bar.abs", "bar", NULL},
    {"psia", "[psi]", NULL},
    {"psi", "[psi]", NULL},
    {"ksi", "10*3.[psi]", NULL},
    {"mmH2O", "mm[H2O]", NULL},
    {"mmAq", "mm[H2O]", NULL},
    {"mmWC", "mm[H2O]", NULL},
    {"cmH2O", "cm[H2O]", NULL},
    {"mH2O", "m[H2O]", NULL},
    {"mAq", "m[H2O]", NULL},
    {"inH2O", "[in_i'H2O]", NULL},
    {"inWC", "[in_i'H2O]", NULL},
    {"mmHg", "mm[Hg]", NULL},
    {"cmHg", "cm[Hg]", NULL},
    {"inHg", "[in_i'Hg]", NULL},
    {"Torr", "mm[Hg]", NULL},
    /* rates of turning */
    {"rpm", "circ/min", NULL},
    {"r/min", "circ/min", NULL},
    {"rev/min", "circ/min", NULL},
    {"rot/min", "circ/min", NULL},
    {"rps", "circ/s", NULL},
    {"r/s", "circ/s", NULL},
    {"rev", "circ", NULL},
    {"revolution", "circ", NULL},
    {"turn", "circ", NULL},
    {"turns", "circ", NULL},
    {"dps", "deg/s", NULL},
    {"cpm", "{count}/min", NULL},
    {"bpm", "{beat}/min", NULL},
    {"spm", "{stroke}/min", NULL},
    {"fps", "{frame}/s", "read as frames per second; feet per second are ft/s"},
    /* flow and volume; {normal} is at 0 Cel and 1 atm, {standard} as its maker says */
    {"lpm", "L/min", NULL},
    {"liter", "L", NULL},
    {"litre", "L", NULL},
    {"liters", "L", NULL},
    {"litres", "L", NULL},
    {"cc", "cm3", NULL},
    {"ccm", "cm3", NULL},
    {"Nl", "L{normal}", NULL},
    {"Nm3", "m3{normal}", "read as cubic metre at 0 Cel and 1 atm, not as a newton times a volume"},
    {"Ncm3", "cm3{normal}", "read as cubic centimetre at 0 Cel and 1 atm"},
    {"Ncc", "cm3{normal}", NULL},
    {"Nlpm", "L{normal}/min", NULL},
    {"nlpm", "L{normal}/min", NULL},
    {"SL", "L{standard}", NULL},
    {"Sm3", "m3{standard}", NULL},
    {"slpm", "L{standard}/min", NULL},
    {"SLM", "L{standard}/min", NULL},
    {"sccm", "cm3{standard}/min", NULL},
    {"cfm", "[cft_i]/min", NULL},
    {"gpm", "[gal_us]/min", NULL},
    {"gallon", "[gal_us]", "read as the US gallon"},
    /* force, torque, mass */
    {"Nm", "N.m", NULL},
    {"N.m", "N.m", NULL},
    {"kNm", "kN.m", NULL},
    {"mNm", "mN.m", NULL},
    {"uNm", "uN.m", NULL},
    {"Ncm", "N.cm", NULL},
    {"Nmm", "N.mm", NULL},
    {"Nms", "N.m.s", NULL},
    {"kgfm", "kgf.m", NULL},
    {"kgfcm", "kgf.cm", NULL},
    {"kgf", "kgf", NULL},
    {"tf", "Mgf", NULL},
    {"kg", "kg", NULL},
    {"Kg", "kg", NULL},
    {"kgs", "kg", NULL},
    {"gram", "g", NULL},
    {"grams", "g", NULL},
    {"ton", "t", "read as the metric ton of 1000 kg"},
    {"tons", "t", "read as metric tons of 1000 kg"},
    {"tonne", "t", NULL},
    {"lb", "[lb_av]", NULL},
    {"lbs", "[lb_av]", NULL},
    {"lbf", "[lbf_av]", NULL},
    {"klbf", "10*3.[lbf_av]", NULL},
    {"kip", "10*3.[lbf_av]", NULL},
    {"ft.lb", "[ft_i].[lbf_av]", "read as a torque or energy: foot times pound-force"},
    {"lb.ft", "[lbf_av].[ft_i]", "read as a torque: pound-force times foot"},
    {"ftlb", "[ft_i].[lbf_av]", "read as a torque or energy: foot times pound-force"},
    {"lb.in", "[lbf_av].[in_i]", "read as a torque: pound-force times inch"},
    {"in.lb", "[in_i].[lbf_av]", "read as a torque: inch times pound-force"},
    {"oz", "[oz_av]", "read as the avoirdupois ounce, a mass; fluid ounces are [foz_us]"},
    {"ozf", "[oz_av].[g]", NULL},
    /* motion */
    {"G", "[g]", "read as standard gravity; gauss is Gauss"},
    {"g0", "[g]", NULL},
    {"gn", "[g]", NULL},
    {"gal", "Gal", "read as Gal, cm/s2; gallons are gallon or [gal_us]"},
    {"gals", "Gal", "read as Gal, cm/s2; gallons are gallon or [gal_us]"},
    {"Gauss", "10*-4.T", NULL},
    {"kine", "cm/s", NULL},
    {"kph", "km/h", NULL},
    {"kmh", "km/h", NULL},
    {"kmph", "km/h", NULL},
    {"mph", "[mi_i]/h", NULL},
    {"knot", "[kn_i]", NULL},
    {"knots", "[kn_i]", NULL},
    {"kn", "[kn_i]", NULL},
    /* length, area */
    {"meter", "m", NULL},
    {"metre", "m", NULL},
    {"meters", "m", NULL},
    {"metres", "m", NULL},
    {"mm", "mm", NULL},
    {"in", "[in_i]", NULL},
    {"inch", "[in_i]", NULL},
    {"inches", "[in_i]", NULL},
    {"ft", "[ft_i]", "read as foot, not as femtotonne"},
    {"foot", "[ft_i]", NULL},
    {"feet", "[ft_i]", NULL},
    {"yd", "[yd_i]", NULL},
    {"mile", "[mi_i]", NULL},
    {"miles", "[mi_i]", NULL},
    {"micron", "um", NULL},
    {"microns", "um", NULL},
    {"angstrom", "Ao", NULL},
    {"ha", "har", NULL},
    /* time */
    {"sec", "s", NULL},
    {"secs", "s", NULL},
    {"second", "s", NULL},
    {"seconds", "s", NULL},
    {"msec", "ms", NULL},
    {"usec", "us", NULL},
    {"nsec", "ns", NULL},
    {"minute", "min", NULL},
    {"minutes", "min", NULL},
    {"mins", "min", NULL},
    {"hr", "h", NULL},
    {"hrs", "h", NULL},
    {"hour", "h", NULL},
    {"hours", "h", NULL},
    {"day", "d", NULL},
    {"days", "d", NULL},
    {"week", "wk", NULL},
    {"weeks", "wk", NULL},
    {"month", "mo", NULL},
    {"months", "mo", NULL},
    {"year", "a", NULL},
    {"years", "a", NULL},
    {"yr", "a", NULL},
    /* electricity */
    {"volt", "V", NULL},
    {"volts", "V", NULL},
    {"amp", "A", NULL},
    {"amps", "A", NULL},
    {"ampere", "A", NULL},
    {"watt", "W", NULL},
    {"watts", "W", NULL},
    {"kW", "kW", NULL},
    {"MW", "MW", NULL},
    {"kV", "kV", NULL},
    {"Vac", "V{AC}", NULL},
    {"Vdc", "V{DC}", NULL},
    {"Vrms", "V{rms}", NULL},
    {"Vpp", "V{peak to peak}", NULL},
    {"Arms", "A{rms}", NULL},
    {"Aac", "A{AC}", NULL},
    {"Adc", "A{DC}", NULL},
    {"VA", "V.A", NULL},
    {"kVA", "kV.A", NULL},
    {"MVA", "MV.A", NULL},
    {"var", "V.A{reactive}", NULL},
    {"kvar", "kV.A{reactive}", NULL},
    {"Mvar", "MV.A{reactive}", NULL},
    {"Wh", "W.h", NULL},
    {"kWh", "kW.h", NULL},
    {"MWh", "MW.h", NULL},
    {"GWh", "GW.h", NULL},
    {"Ah", "A.h", NULL},
    {"mAh", "mA.h", NULL},
    {"ohm", "Ohm", NULL},
    {"ohms", "Ohm", NULL},
    {"kohm", "kOhm", NULL},
    {"Mohm", "MOhm", NULL},
    {"mohm", "mOhm", NULL},
    {"uohm", "uOhm", NULL},
    {"Hz", "Hz", NULL},
    {"kHz", "kHz", NULL},
    {"MHz", "MHz", NULL},
    {"GHz", "GHz", NULL},
    {"cps", "Hz", NULL},
    /* heat and power */
    {"hp", "[HP]", "read as the mechanical horsepower; the metric one is PS"},
    {"PS", "75.m.kgf/s", "read as the metric horsepower, not as petasiemens"},
    {"BTU", "[Btu_IT]", "read as the International Table Btu"},
    {"Btu", "[Btu_IT]", "read as the International Table Btu"},
    {"calorie", "cal", NULL},
    /* levels */
    {"dBm", "dB{mW}", NULL},
    {"dBA", "dB{A}", NULL},
    {"dB(A)", "dB{A}", NULL},
    {"dBC", "dB{C}", NULL},
    {"dBV", "dB[V]", NULL},
    {"dBuV", "dB[uV]", NULL},
    {"dBW", "dB[W]", NULL},
    /* chemistry, fractions, counts */
    {"pH", "[pH]", "read as acidity, not as picohenry"},
    {"PH", "[pH]", "read as acidity"},
    {"lux", "lx", NULL},
    {"NTU", "[NTU]", NULL},
    {"FNU", "[FNU]", NULL},
    {"mPas", "mPa.s", NULL},
    {"Pas", "Pa.s", NULL},
    {"ppm", "[ppm]", NULL},
    {"ppb", "[ppb]", NULL},
    {"ppt", "[pptr]", "read as parts per 10^12; per mille is [ppth]"},
    {"percent", "%", NULL},
    {"pct", "%", NULL},
    {"%RH", "%{RH}", NULL},
    {"RH%", "%{RH}", NULL},
    {"RH", "%{RH}", NULL},
    {"%rel", "%{RH}", NULL},
    {"%vol", "%{vol}", NULL},
    {"vol%", "%{vol}", NULL},
    {"%wt", "%{mass}", NULL},
    {"wt%", "%{mass}", NULL},
    {"mol%", "%{mol}", NULL},
    {"%FS", "%{FS}", NULL},
    {"degree", "deg", NULL},
    {"degrees", "deg", NULL},
    {"radian", "rad", NULL},
    {"radians", "rad", NULL},
    {"pcs", "{pcs}", NULL},
    {"pc", "{pcs}", "read as pieces, not as parsec"},
    {"piece", "{pcs}", NULL},
    {"pieces", "{pcs}", NULL},
    {"count", "{count}", NULL},
    {"counts", "{count}", NULL},
    {"cnt", "{count}", NULL},
    {"px", "{px}", NULL},
    {"pixel", "{px}", NULL},
    {"pixels", "{px}", NULL},
    {"pulse", "{pulse}", NULL},
    {"pulses", "{pulse}", NULL},
    {"cycle", "{cycle}", NULL},
    {"cycles", "{cycle}", NULL},
    {"step", "{step}", NULL},
    {"steps", "{step}", NULL},
    {"rows", "{rows}", NULL},
    {"bps", "bit/s", NULL},
    {"kbps", "kbit/s", NULL},
    {"Mbps", "Mbit/s", NULL},
    {"byte", "By", NULL},
    {"bytes", "By", NULL},
    {"kB", "kBy", NULL},
    {"MB", "MBy", NULL},
    {"GB", "GBy", NULL},
    {"-", "1", NULL},
    {"--", "1", NULL},
    {"none", "1", NULL},
    {"ratio", "1", NULL},
    {"unitless", "1", NULL},
    {"dimensionless", "1", NULL},
    {"a.u.", "{a.u.}", NULL},
    {"pu", "{pu}", NULL},
    {"p.u.", "{pu}", NULL},
    /* Japanese words */
    {"回転/分", "circ/min", NULL},
    {"回転", "circ", NULL},
    {"回/分", "{count}/min", "read as counts per minute; turns per minute are rpm"},
    {"回", "{count}", NULL},
    {"毎分", "/min", NULL},
    {"毎秒", "/s", NULL},
    {"毎時", "/h", NULL},
    {"度", "deg", "read as degree of angle; a temperature is ℃"},
    {"分", "min", NULL},
    {"秒", "s", NULL},
    {"時", "h", NULL},
    {"時間", "h", NULL},
    {"日", "d", NULL},
    {"個", "{count}", NULL},
    {"本", "{count}", NULL},
    {"枚", "{count}", NULL},
    {"台", "{count}", NULL},
    {"件", "{count}", NULL},
    {"人", "{count}", NULL},
    {"トン", "t", NULL},
    {"グラム", "g", NULL},
    {"メートル", "m", NULL},
    {"リットル", "L", NULL},
    {"パーセント", "%", NULL},
    {"ワット", "W", NULL},
    {"ボルト", "V", NULL},
    {"アンペア", "A", NULL},
};
const int gb_unit_spelling_count = (int)(sizeof gb_unit_spellings / sizeof *gb_unit_spellings);

const gb_unit_folding gb_unit_foldings[] = {
    {"℃", "degC"},         /* U+2103 */
    {"℉", "degF"},         /* U+2109 */
    {"°", "deg"},          /* U+00B0 */
    {"º", "deg"},          /* U+00BA */
    {"˚", "deg"},          /* U+02DA */
    {"µ", "u"},            /* U+00B5 */
    {"μ", "u"},            /* U+03BC */
    {"Ω", "Ohm"},          /* U+03A9 */
    {"Ω", "Ohm"},          /* U+2126 */
    {"K", "K"},            /* U+212A */
    {"Å", "Ao"},           /* U+00C5 */
    {"Å", "Ao"},           /* U+212B */
    {"ℓ", "l"},            /* U+2113 */
    {"㍑", "L"},           /* U+3351 */
    {"⁰", "0"},            /* U+2070 */
    {"¹", "1"},            /* U+00B9 */
    {"²", "2"},            /* U+00B2 */
    {"³", "3"},            /* U+00B3 */
    {"⁴", "4"},            /* U+2074 */
    {"⁵", "5"},            /* U+2075 */
    {"⁶", "6"},            /* U+2076 */
    {"⁷", "7"},            /* U+2077 */
    {"⁸", "8"},            /* U+2078 */
    {"⁹", "9"},            /* U+2079 */
    {"⁻", "-"},            /* U+207B */
    {"⁺", "+"},            /* U+207A */
    {"−", "-"},            /* U+2212 */
    {"–", "-"},            /* U+2013 */
    {"‐", "-"},            /* U+2010 */
    {"‑", "-"},            /* U+2011 */
    {"·", "."},            /* U+00B7 */
    {"⋅", "."},            /* U+22C5 */
    {"•", "."},            /* U+2022 */
    {"∙", "."},            /* U+2219 */
    {"・", "."},           /* U+30FB */
    {"･", "."},            /* U+FF65 */
    {"×", "."},            /* U+00D7 */
    {"∕", "/"},            /* U+2215 */
    {"⁄", "/"},            /* U+2044 */
    {"÷", "/"},            /* U+00F7 */
    {"′", "'"},            /* U+2032 */
    {"″", "''"},           /* U+2033 */
    {"’", "'"},            /* U+2019 */
    {"‰", "[ppth]"},       /* U+2030 */
    {"\xe3\x80\x80", " "}, /* U+3000 */
    {"\xc2\xa0", " "},     /* U+00A0 */
    {"\xe2\x80\x89", " "}, /* U+2009 */
    {"\xe2\x80\xaf", " "}, /* U+202F */
    {"㎜", "mm"},          /* U+339C */
    {"㎝", "cm"},          /* U+339D */
    {"㎞", "km"},          /* U+339E */
    {"㎛", "um"},          /* U+339B */
    {"㎚", "nm"},          /* U+339A */
    {"㎟", "mm2"},         /* U+339F */
    {"㎠", "cm2"},         /* U+33A0 */
    {"㎡", "m2"},          /* U+33A1 */
    {"㎢", "km2"},         /* U+33A2 */
    {"㎣", "mm3"},         /* U+33A3 */
    {"㎤", "cm3"},         /* U+33A4 */
    {"㎥", "m3"},          /* U+33A5 */
    {"㎦", "km3"},         /* U+33A6 */
    {"㏄", "cm3"},         /* U+33C4 */
    {"㎕", "uL"},          /* U+3395 */
    {"㎖", "mL"},          /* U+3396 */
    {"㎗", "dL"},          /* U+3397 */
    {"㎘", "kL"},          /* U+3398 */
    {"㎍", "ug"},          /* U+338D */
    {"㎎", "mg"},          /* U+338E */
    {"㎏", "kg"},          /* U+338F */
    {"㎧", "m/s"},         /* U+33A7 */
    {"㎨", "m/s2"},        /* U+33A8 */
    {"㎭", "rad"},         /* U+33AD */
    {"㎮", "rad/s"},       /* U+33AE */
    {"㎯", "rad/s2"},      /* U+33AF */
    {"㎩", "Pa"},          /* U+33A9 */
    {"㎪", "kPa"},         /* U+33AA */
    {"㎫", "MPa"},         /* U+33AB */
    {"㎬", "GPa"},         /* U+33AC */
    {"㍱", "hPa"},         /* U+3371 */
    {"㎰", "ps"},          /* U+33B0 */
    {"㎱", "ns"},          /* U+33B1 */
    {"㎲", "us"},          /* U+33B2 */
    {"㎳", "ms"},          /* U+33B3 */
    {"㎴", "pV"},          /* U+33B4 */
    {"㎵", "nV"},          /* U+33B5 */
    {"㎶", "uV"},          /* U+33B6 */
    {"㎷", "mV"},          /* U+33B7 */
    {"㎸", "kV"},          /* U+33B8 */
    {"㎹", "MV"},          /* U+33B9 */
    {"㎺", "pW"},          /* U+33BA */
    {"㎻", "nW"},          /* U+33BB */
    {"㎼", "uW"},          /* U+33BC */
    {"㎽", "mW"},          /* U+33BD */
    {"㎾", "kW"},          /* U+33BE */
    {"㎿", "MW"},          /* U+33BF */
    {"㎀", "pA"},          /* U+3380 */
    {"㎁", "nA"},          /* U+3381 */
    {"㎂", "uA"},          /* U+3382 */
    {"㎃", "mA"},          /* U+3383 */
    {"㎄", "kA"},          /* U+3384 */
    {"㏀", "kOhm"},        /* U+33C0 */
    {"㏁", "MOhm"},        /* U+33C1 */
    {"㎐", "Hz"},          /* U+3390 */
    {"㎑", "kHz"},         /* U+3391 */
    {"㎒", "MHz"},         /* U+3392 */
    {"㎓", "GHz"},         /* U+3393 */
    {"㎔", "THz"},         /* U+3394 */
    {"㎈", "cal"},         /* U+3388 */
    {"㎉", "kcal"},        /* U+3389 */
    {"㏈", "dB"},          /* U+33C8 */
    {"㏃", "Bq"},          /* U+33C3 */
    {"㏊", "har"},         /* U+33CA */
    {"㏋", "[HP]"},        /* U+33CB */
    {"㏖", "mol"},         /* U+33D6 */
    {"㏗", "pH"},          /* U+33D7 */
    {"㏙", "ppm"},         /* U+33D9 */
    {"㏜", "Sv"},          /* U+33DC */
    {"㏉", "Gy"},          /* U+33C9 */
    {"㏐", "lm"},          /* U+33D0 */
    {"㏓", "lx"},          /* U+33D3 */
    {"㍍", "m"},           /* U+334D */
    {"㌢", "cm"},          /* U+3322 */
    {"㍉", "mm"},          /* U+3349 */
    {"㌔", "km"},          /* U+3314 */
    {"㌘", "g"},           /* U+3318 */
    {"㌧", "t"},           /* U+3327 */
    {"㌫", "%"},           /* U+332B */
    {"㍗", "W"},           /* U+3357 */
    {"㌍", "cal"},         /* U+330D */
};
const int gb_unit_folding_count = (int)(sizeof gb_unit_foldings / sizeof *gb_unit_foldings);

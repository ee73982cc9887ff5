//! Floating-point numbers as the runtime prints them (`runtime/print.go`).

/// How a release prints them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloatFormat {
    /// Seven digits, always with an exponent of three: `+1.500000e+000` (up to Go 1.25: the release has a
    /// `runtime.printfloat`).
    SevenDigits,
    /// As few digits as tell the number apart: `1.5` (since Go 1.26: the release has a `runtime.printfloat64`).
    Shortest,
}

impl FloatFormat {
    /// A `float64`.
    #[must_use]
    pub fn float64(self, value: f64) -> String {
        match self {
            FloatFormat::SevenDigits => seven_digits(value),
            FloatFormat::Shortest => shortest(value, &format!("{value}"), &format!("{value:e}")),
        }
    }

    /// A `float32`.
    #[must_use]
    pub fn float32(self, value: f32) -> String {
        match self {
            FloatFormat::SevenDigits => seven_digits(f64::from(value)),
            FloatFormat::Shortest => shortest(f64::from(value), &format!("{value}"), &format!("{value:e}")),
        }
    }

    /// A complex number, from its parts as they are printed.
    #[must_use]
    pub fn complex(real: &str, imaginary: &str) -> String {
        let plus = if imaginary.starts_with(['+', '-']) { "" } else { "+" };
        format!("({real}{plus}{imaginary}i)")
    }
}

/// What is no number.
fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value.is_infinite() {
        Some(if value > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        None
    }
}

/// The runtime's own algorithm, with its roundings.
fn seven_digits(value: f64) -> String {
    const DIGITS: i32 = 7;
    if let Some(word) = special(value) {
        return word.to_owned();
    }
    let sign = if value.is_sign_negative() { '-' } else { '+' };
    let (mut rest, mut exponent) = (value.abs(), 0i32);
    if rest != 0.0 {
        while rest >= 10.0 {
            exponent = exponent.saturating_add(1);
            rest /= 10.0;
        }
        while rest < 1.0 {
            exponent = exponent.saturating_sub(1);
            rest *= 10.0;
        }
        let half = (0..DIGITS).fold(5.0, |half, _| half / 10.0);
        rest += half;
        if rest >= 10.0 {
            exponent = exponent.saturating_add(1);
            rest /= 10.0;
        }
    }
    let mut digits = String::new();
    for _ in 0..DIGITS {
        let digit = rest.trunc();
        digits.push_str(&format!("{digit}"));
        rest = (rest - digit) * 10.0;
    }
    let (first, others) = digits.split_at_checked(1).unwrap_or((&digits, ""));
    let direction = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{first}.{others}e{direction}{:03}", exponent.unsigned_abs())
}

/// `strconv.AppendFloat(…, 'g', -1, …)`, from the shortest digits without and with an exponent (`-1500`, `-1.5e3`).
fn shortest(value: f64, plain: &str, digits: &str) -> String {
    if let Some(word) = special(value) {
        return word.to_owned();
    }
    let parts = digits.split_once('e').and_then(|(mantissa, e)| Some((mantissa, e.parse::<i32>().ok()?)));
    match parts {
        Some((mantissa, exponent)) if !(-4..6).contains(&exponent) => {
            let direction = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{direction}{:02}", exponent.unsigned_abs())
        }
        _ => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `print` wrote in programs of Go 1.25.5 and Go 1.26.1.
    #[test]
    fn as_print_wrote_them() {
        for (bits, seven, short) in [
            (0, "+0.000000e+000", "0"),
            (9223372036854775808, "-0.000000e+000", "-0"),
            (4607182418800017408, "+1.000000e+000", "1"),
            (13832806255468478464, "-1.500000e+000", "-1.5"),
            (4591870180066957722, "+1.000000e-001", "0.1"),
            (4614256656552045841, "+3.141593e+000", "3.14159265358979"),
            (4696837146684686336, "+1.000000e+006", "1e+06"),
            (4696837138094751744, "+9.999990e+005", "999999"),
            (4698053236609777664, "+1.234567e+006", "1.234567e+06"),
            (4728057454347157504, "+1.234568e+008", "1.23456789e+08"),
            (4921056587992461136, "+1.000000e+021", "1e+21"),
            (4547007122018943789, "+1.000000e-004", "0.0001"),
            (4532020583610935537, "+1.000000e-005", "1e-05"),
            (4621819117307496543, "+1.000000e+001", "9.9999995"),
            (4621819117301867044, "+9.999999e+000", "9.99999949"),
            (6103021453049119613, "+1.000000e+100", "1e+100"),
            (1, "+4.940656e-324", "5e-324"),
            (9218868437227405311, "+1.797693e+308", "1.7976931348623157e+308"),
            (9218868437227405312, "+Inf", "+Inf"),
            (18442240474082181120, "-Inf", "-Inf"),
            (9221120237041090561, "NaN", "NaN"),
            (4508321993853365645, "+2.500000e-007", "2.5e-07"),
        ] {
            let value = f64::from_bits(bits);
            assert_eq!(FloatFormat::SevenDigits.float64(value), seven);
            assert_eq!(FloatFormat::Shortest.float64(value), short);
        }
        for (bits, seven, short) in [
            (1036831949, "+1.000000e-001", "0.1"),
            (1266679808, "+1.677722e+007", "1.6777216e+07"),
            (2139095039, "+3.402823e+038", "3.4028235e+38"),
            (1, "+1.401298e-045", "1e-45"),
            (3223322624, "-2.500000e+000", "-2.5"),
        ] {
            let value = f32::from_bits(bits);
            assert_eq!(FloatFormat::SevenDigits.float32(value), seven);
            assert_eq!(FloatFormat::Shortest.float32(value), short);
        }
        assert_eq!(FloatFormat::complex("1.5", "-2"), "(1.5-2i)");
        assert_eq!(FloatFormat::complex("0.1", "0.2"), "(0.1+0.2i)");
        assert_eq!(FloatFormat::complex("+1.000000e-001", "+2.000000e-001"), "(+1.000000e-001+2.000000e-001i)");
    }
}

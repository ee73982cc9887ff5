//! Rules: from questions to a Program to findings and a verdict.

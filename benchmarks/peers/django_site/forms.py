"""The form of thirty questions."""

from __future__ import annotations

from django import forms

CHOICES = [("a", "Premier"), ("b", "Deuxième"), ("c", "Troisième")]
YES_NO = [("true", "Oui"), ("false", "Non")]


class Day(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class LongPage(forms.Form):
    q0 = forms.CharField(label="Question 0", required=False, max_length=80)
    q1 = forms.IntegerField(label="Question 1", required=False, min_value=0, max_value=1000)
    q2 = forms.ChoiceField(label="Question 2", required=False, choices=CHOICES, widget=forms.RadioSelect)
    q3 = forms.ChoiceField(label="Question 3", required=False, choices=YES_NO, widget=forms.RadioSelect)
    q4 = forms.DateField(label="Question 4", required=False, widget=Day)
    q5 = forms.CharField(label="Question 5", required=False, max_length=80)
    q6 = forms.IntegerField(label="Question 6", required=False, min_value=0, max_value=1000)
    q7 = forms.ChoiceField(label="Question 7", required=False, choices=CHOICES, widget=forms.RadioSelect)
    q8 = forms.ChoiceField(label="Question 8", required=False, choices=YES_NO, widget=forms.RadioSelect)
    q9 = forms.DateField(label="Question 9", required=False, widget=Day)
    q10 = forms.CharField(label="Question 10", required=False, max_length=80)
    q11 = forms.IntegerField(label="Question 11", required=False, min_value=0, max_value=1000)
    q12 = forms.ChoiceField(label="Question 12", required=False, choices=CHOICES, widget=forms.RadioSelect)
    q13 = forms.ChoiceField(label="Question 13", required=False, choices=YES_NO, widget=forms.RadioSelect)
    q14 = forms.DateField(label="Question 14", required=False, widget=Day)
    q15 = forms.CharField(label="Question 15", required=False, max_length=80)
    q16 = forms.IntegerField(label="Question 16", required=False, min_value=0, max_value=1000)
    q17 = forms.ChoiceField(label="Question 17", required=False, choices=CHOICES, widget=forms.RadioSelect)
    q18 = forms.ChoiceField(label="Question 18", required=False, choices=YES_NO, widget=forms.RadioSelect)
    q19 = forms.DateField(label="Question 19", required=False, widget=Day)
    q20 = forms.CharField(label="Question 20", required=False, max_length=80)
    q21 = forms.IntegerField(label="Question 21", required=False, min_value=0, max_value=1000)
    q22 = forms.ChoiceField(label="Question 22", required=False, choices=CHOICES, widget=forms.RadioSelect)
    q23 = forms.ChoiceField(label="Question 23", required=False, choices=YES_NO, widget=forms.RadioSelect)
    q24 = forms.DateField(label="Question 24", required=False, widget=Day)
    q25 = forms.CharField(label="Question 25", required=False, max_length=80)
    q26 = forms.IntegerField(label="Question 26", required=False, min_value=0, max_value=1000)
    q27 = forms.ChoiceField(label="Question 27", required=False, choices=CHOICES, widget=forms.RadioSelect)
    q28 = forms.ChoiceField(label="Question 28", required=False, choices=YES_NO, widget=forms.RadioSelect)
    q29 = forms.DateField(label="Question 29", required=False, widget=Day)

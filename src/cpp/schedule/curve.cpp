namespace clrfast {}
